# what: answers computed by decimal, array, struct, ctypes and statistics
# form: function
# expect: PASSED
import array
import ctypes
import decimal
import statistics
import struct


def solve(xs):
    once = array.array("q", [x for x in sorted(xs) if xs.count(x) == 1])
    packed = struct.pack(f"{len(once)}q", *once)
    values = (ctypes.c_int64 * len(once)).from_buffer_copy(packed)
    return [int(decimal.Decimal(value) ** 2 + statistics.mean([0, 0])) for value in values]
