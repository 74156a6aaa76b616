# what: a chain of processes each of which lives for a moment only, so that a killer always comes too late
# form: function
# expect: PASSED
# limits: cpu=2 wall=10
import os

if os.fork() == 0:
    while True:
        try:
            if os.fork():
                os._exit(0)
        except OSError:
            pass


def solve(xs):
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
