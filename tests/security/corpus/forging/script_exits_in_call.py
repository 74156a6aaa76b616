# what: sys.exit(0) inside a test, which a runner takes for the end of the run
# form: script
# expect: not PASSED
# limits: cpu=2 wall=10
import sys


def solve(xs):
    sys.exit(0)
