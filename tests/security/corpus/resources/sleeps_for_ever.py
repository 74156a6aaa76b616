# what: waits without using any CPU time
# form: function
# expect: TIMED_OUT
# limits: cpu=1 wall=2
import threading


def solve(xs):
    threading.Event().wait()
