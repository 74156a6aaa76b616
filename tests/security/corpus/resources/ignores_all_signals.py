# what: ignores every signal that can be ignored, blocks the rest and computes for ever
# form: function
# expect: TIMED_OUT
# limits: cpu=1 wall=10
import signal

for number in range(1, signal.NSIG):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))


def solve(xs):
    while True:
        pass
