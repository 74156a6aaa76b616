# what: a daemon that ignores all signals stays behind when the program has answered
# form: function
# expect: PASSED
import os
import signal
import time

if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    os.closerange(0, 256)
    while True:
        time.sleep(1)


def solve(xs):
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
