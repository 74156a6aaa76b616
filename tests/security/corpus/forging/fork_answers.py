# what: forks in the call, and parent and child both answer, differently
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import os


def solve(xs):
    pid = os.fork()
    if pid == 0:
        return [x * x for x in xs]
    os.waitpid(pid, os.WNOHANG)
    return []
