# what: double forks with a session each, so that no process group and no parent holds them; each starts the next
# form: function
# expect: not PASSED
# limits: cpu=1 wall=6
import os


def spread():
    while True:
        try:
            if os.fork() == 0:
                os.setsid()
                if os.fork():
                    os._exit(0)
            else:
                os.wait()
        except OSError:
            pass


def solve(xs):
    spread()
