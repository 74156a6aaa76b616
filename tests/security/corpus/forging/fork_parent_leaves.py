# what: the child goes on as the program while the parent, whom the harness waits for, ends with status 0
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import os

if os.fork():
    os._exit(0)


def solve(xs):
    return None
