# what: negative zero, infinities and NaN
# form: function
# problem: sign
# expect: PASSED
import math


def solve(x):
    return math.copysign(x, -math.copysign(1.0, x))
