# what: ends itself by each signal that dumps core, in a child, and at last by SIGABRT
# form: function
# expect: CRASHED
import os
import signal


def solve(xs):
    for number in (signal.SIGQUIT, signal.SIGILL, signal.SIGTRAP, signal.SIGBUS, signal.SIGFPE, signal.SIGSYS):
        pid = os.fork()
        if pid == 0:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        os.waitpid(pid, 0)
    os.abort()
