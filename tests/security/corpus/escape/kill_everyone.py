# what: kill(-1), then every pid, and sees whether anyone but itself has gone
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os
import signal
import time


def others():
    return {pid for pid in filter(str.isdigit, os.listdir("/proc")) if int(pid) != os.getpid()}


def escaped():
    before = others()
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in (-1, -os.getpgid(0) if os.getpgid(0) != os.getpid() else -1, *map(int, before)):
            try:
                os.kill(pid, number)
            except OSError:
                pass
    time.sleep(0.1)
    return bool(before - others())


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
