# what: a deque with a bound
# form: function
# problem: listed
# expect: PASSED
from collections import deque


def solve(xs):
    return deque((x * x for x in sorted(xs) if xs.count(x) == 1), maxlen=100)
