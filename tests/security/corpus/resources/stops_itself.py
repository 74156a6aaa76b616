# what: stops itself by SIGSTOP and is never continued
# form: function
# expect: TIMED_OUT
# limits: cpu=1 wall=2
import os
import signal


def solve(xs):
    os.kill(os.getpid(), signal.SIGSTOP)
