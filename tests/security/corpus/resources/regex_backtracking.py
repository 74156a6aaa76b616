# what: a regular expression that needs exponential time
# form: function
# expect: TIMED_OUT
# limits: cpu=1 wall=10
import re


def solve(xs):
    return re.match(r"(a+)+$", "a" * 60 + "!")
