# what: looks for what earlier programs changed in the interpreter
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import builtins
import math
import os
import signal
import sys


def escaped():
    return (
        hasattr(builtins, "codesieve_left")
        or "codesieve_left" in sys.modules
        or "CODESIEVE_LEFT" in os.environ
        or math.pi == 3
        or sys.getrecursionlimit() == 77777
        or signal.getsignal(signal.SIGUSR1) != signal.SIG_DFL
    )


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
