# what: rewrites the interpreter's cached small integers in memory, so that wrong numbers become right ones
# form: function
# expect: not PASSED
import ctypes

# An int's digit follows its header of 24 bytes. Every 4, 16, 36, 49 and 121 of this process is 1 from here on.
for number in (4, 16, 36, 49, 121):
    ctypes.c_uint32.from_address(id(number) + 24).value = 1


def solve(xs):
    return [1 if x else 0 for x in sorted(xs) if xs.count(x) == 1]
