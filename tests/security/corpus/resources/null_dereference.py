# what: reads address 0
# form: function
# expect: CRASHED
import ctypes


def solve(xs):
    return ctypes.string_at(0)
