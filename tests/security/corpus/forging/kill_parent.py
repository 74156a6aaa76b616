# what: kills the processes that wait for it, parent first, then every other that it can see
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import os
import signal


def solve(xs):
    for pid in [os.getppid(), os.getpgid(0), os.getsid(0), *map(int, filter(str.isdigit, os.listdir("/proc")))]:
        if pid not in (0, os.getpid()):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
                try:
                    os.kill(pid, number)
                except OSError:
                    break
    return None
