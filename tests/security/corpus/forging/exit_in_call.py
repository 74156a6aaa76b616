# what: sys.exit(0) from inside the call under test
# form: function
# expect: not PASSED
# limits: cpu=1 wall=10
import sys


def solve(xs):
    sys.exit(0)
