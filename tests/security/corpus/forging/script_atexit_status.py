# what: lets the tests fail and turns the exit status into 0 on the way out
# form: script
# expect: not PASSED
# limits: cpu=2 wall=10
import atexit
import os
import sys

atexit.register(os._exit, 0)
sys.exit = lambda *arguments: os._exit(0)


def solve(xs):
    return None
