# what: replaces the encoder on its own side of the channel: handles where values belong, wrong counts, endless depth
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import struct
import sys

TRICKS = iter(
    (
        b"h" + struct.pack("!q", -1),
        b"l*" + struct.pack("!I", 2**31),
        b"l*\x00\x00\x00\x01" * 5000 + b"N",
        b"n" + b"u\x00\x00\x00\x02|O" + b"t*\x00\x00\x00\x00" + b"b\x00\x00\x00\x08" + bytes(8),
        b"s*\x00\x00\x00\x01l*\x00\x00\x00\x00",
        b"D*\x00\x00\x00\x01N*\x00\x00\x00\x00",
        b"T",
    )
)


def solve(xs):
    for name, module in list(sys.modules.items()):
        if name.endswith("plain") and hasattr(module, "encode"):
            module.encode = lambda value, handle: next(TRICKS, b"T")
    return []
