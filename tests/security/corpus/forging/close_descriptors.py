# what: closes every descriptor before it answers, in the hope that no answer is a good answer
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import os


def solve(xs):
    os.closerange(0, 65536)
    return None
