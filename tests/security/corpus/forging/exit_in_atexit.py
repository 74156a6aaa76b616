# what: handlers at exit and at thread's end rewrite the exit status and print success
# form: function
# expect: not PASSED
# limits: cpu=1 wall=10
import atexit
import os
import sys
import threading


def succeed():
    os.write(1, b"PASSED\n")
    os._exit(0)


atexit.register(succeed)
threading._register_atexit(succeed)
sys.excepthook = lambda *arguments: succeed()
threading.excepthook = lambda *arguments: succeed()
sys.unraisablehook = lambda *arguments: succeed()


def solve(xs):
    raise RuntimeError("falls through to the hooks")
