# what: patches modules and builtins for its own use
# form: function
# expect: PASSED
import builtins
import math

math.square = lambda x: x * x
builtins.once = lambda xs: [x for x in sorted(xs) if xs.count(x) == 1]
math.pi = 3


def solve(xs):
    return [math.square(x) for x in once(xs)]
