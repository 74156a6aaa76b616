# what: recursion near the default limit, and past it with the limit raised
# form: function
# expect: PASSED
import sys


def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)


def solve(xs):
    assert depth(800) == 800
    sys.setrecursionlimit(6000)
    assert depth(4000) == 4000
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
