# what: recursion in C, by __getattr__, repr and nested comparison, until the stack is gone
# form: function
# expect: CRASHED or RAISED or OUT_OF_MEMORY or TIMED_OUT
# limits: cpu=2 wall=15
import functools
import sys

sys.setrecursionlimit(10**9)


def solve(xs):
    call = int
    for _ in range(10**6):
        call = functools.partial(call)
        call = [call, call][0].__call__
    return call()
