# what: lets short-lived children use the CPU, so that no process ever reaches its own limit
# form: function
# expect: TIMED_OUT
# limits: cpu=1 wall=20
import os


def solve(xs):
    while True:
        if os.fork() == 0:
            for _ in range(300000):
                pass
            os._exit(0)
        os.wait()
