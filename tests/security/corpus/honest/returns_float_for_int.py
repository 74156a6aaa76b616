# what: whole floats and Fractions' numerators where ints are expected
# form: function
# expect: PASSED
from fractions import Fraction


def solve(xs):
    return [float(x) ** 2 if x % 2 else Fraction(x * x, 1).numerator for x in sorted(xs) if xs.count(x) == 1]
