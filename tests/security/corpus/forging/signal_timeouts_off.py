# what: takes over the harness's own alarm, so that its time limit ends the tests as a success
# form: function
# expect: not PASSED
# limits: cpu=1 wall=3
import signal
import time


class Done(BaseException):
    pass


def solve(xs):
    old = signal.getsignal(signal.SIGALRM)
    if callable(old):
        # Call the harness's handler's exception by another name: one that is not a failure.
        old.__globals__["TimeoutException"] = type("TimeoutException", (SystemExit,), {})
    signal.signal(signal.SIGALRM, lambda *arguments: None)
    signal.setitimer(signal.ITIMER_REAL, 0)
    time.sleep(1)
    raise Done
