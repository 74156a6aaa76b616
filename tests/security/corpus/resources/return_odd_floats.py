# what: returns NaN with a payload, infinities, denormals and negative zero
# form: function
# expect: FAILED
import struct


def solve(xs):
    return [struct.unpack("d", b"\x01\x02\x03\x04\x05\x06\xf8\x7f")[0], float("-inf"), 5e-324, -0.0][: len(xs)] + [0.5]
