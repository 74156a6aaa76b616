# what: turns False into True in memory
# form: function
# expect: not PASSED
import ctypes


def solve(xs):
    ctypes.c_uint32.from_address(id(False) + 24).value = 1
    ctypes.memmove(id(False), id(True), 28)
    # The truth of a comparison is read by identity; bool's slot is what `if x:` asks for other objects.
    ctypes.memmove(id(False) + 16, id(True) + 16, 12)
    return None
