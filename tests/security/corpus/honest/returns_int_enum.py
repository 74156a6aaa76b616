# what: members of an IntEnum and bools among the ints
# form: function
# problem: typed
# expect: PASSED
import enum


class Square(enum.IntEnum):
    FOUR = 4
    SIXTEEN = 16


def solve(xs):
    squares = [x * x for x in sorted(xs) if xs.count(x) == 1]
    return [Square(n) if n in (4, 16) else bool(n) if n in (0, 1) else n for n in squares]
