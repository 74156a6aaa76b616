# what: an alarm handler ends the process with success in the middle of the tests
# form: function
# expect: not PASSED
# limits: cpu=1 wall=10
import os
import signal
import time

for number in (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF):
    signal.signal(number, lambda *arguments: os._exit(0))
signal.setitimer(signal.ITIMER_REAL, 0.2)


def solve(xs):
    time.sleep(5)
