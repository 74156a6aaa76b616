# what: answers the first assertion rightly and ends the process with 0 at the second
# form: assertions
# expect: not PASSED
# limits: cpu=1 wall=5
import os

calls = []


def solve(xs):
    calls.append(xs)
    if len(calls) > 1:
        os._exit(0)
    return [1, 4]
