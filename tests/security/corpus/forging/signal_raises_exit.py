# what: an alarm handler raises SystemExit(0) in whatever frame is running, the test's own included
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import signal
import sys


def handler(number, frame):
    # Rewrites the frame that it interrupts, then leaves through it.
    while frame is not None:
        if "candidate" in frame.f_locals:
            frame.f_trace = lambda *arguments: None
        frame = frame.f_back
    sys.exit(0)


signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.001)


def solve(xs):
    return None
