# what: an iterator that answers each next() after a pause
# form: function
# problem: listed
# expect: TIMED_OUT
# limits: cpu=1 wall=3
import time


def solve(xs):
    while True:
        time.sleep(0.05)
        yield 1
