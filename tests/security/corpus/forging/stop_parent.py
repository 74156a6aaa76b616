# what: stops its parent with SIGSTOP, answers in its place, and lets it go on
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import os
import signal
import time


def solve(xs):
    try:
        os.kill(os.getppid(), signal.SIGSTOP)
    except OSError:
        pass
    for fd in range(1, 256):
        try:
            os.write(fd, b"passed\n")
        except OSError:
            pass
    time.sleep(0.05)
    try:
        os.kill(os.getppid(), signal.SIGCONT)
    except OSError:
        pass
    return None
