# what: gives every function called check, in whatever namespace, an empty body
# form: function
# expect: not PASSED
import gc
import sys
import threading
import time


def nothing(candidate):
    return None


def rewrite():
    # check may come into being only after the program: keep looking from a thread.
    sys.setswitchinterval(1e-6)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        for thing in gc.get_objects():
            if type(thing) is type(nothing) and thing.__name__ in ("check", "run_test", "test_check"):
                thing.__code__ = nothing.__code__


def solve(xs):
    rewrite()
    return None


threading.Thread(target=rewrite, daemon=True).start()
