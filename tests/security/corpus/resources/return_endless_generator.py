# what: returns a generator without end where the test calls list()
# form: function
# problem: listed
# expect: not PASSED
# limits: cpu=2 wall=20 memory=256
import itertools


def solve(xs):
    return itertools.count()
