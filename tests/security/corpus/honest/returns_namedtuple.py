# what: a named tuple where a tuple is expected
# form: function
# problem: pair
# expect: PASSED
from typing import NamedTuple


class Bounds(NamedTuple):
    low: int
    high: int


def solve(xs):
    return Bounds(min(xs), max(xs))
