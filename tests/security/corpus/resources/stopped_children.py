# what: leaves children that are stopped, in other sessions and process groups
# form: function
# expect: PASSED
import os
import signal

for _ in range(4):
    if os.fork() == 0:
        os.setsid()
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)


def solve(xs):
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
