# what: children that have ended and are never waited for, and their children, who are given to the first process
# form: function
# expect: PASSED
import os

for _ in range(6):
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(7)
        os._exit(7)


def solve(xs):
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
