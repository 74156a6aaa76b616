# what: recurses without end with the recursion limit lifted
# form: function
# expect: CRASHED or RAISED or OUT_OF_MEMORY or TIMED_OUT
# limits: cpu=2 wall=15
import sys

sys.setrecursionlimit(10**9)


def solve(xs):
    return solve(xs)
