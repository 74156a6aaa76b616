# what: uses signal handlers and an alarm for a time limit of its own
# form: function
# expect: PASSED
import signal


class Late(Exception):
    pass


def late(number, frame):
    raise Late


def solve(xs):
    old = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        while True:
            pass
    except Late:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
