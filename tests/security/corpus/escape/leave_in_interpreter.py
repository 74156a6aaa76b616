# what: changes the interpreter for whoever is forked next: modules, builtins, hash seed, environment, signals
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
# snooper: snoop_interpreter
import builtins
import os
import signal
import sys

builtins.codesieve_left = True
sys.modules["codesieve_left"] = sys
os.environ["CODESIEVE_LEFT"] = "1"
import random
import math

math.pi = 3
random.seed(4242)
sys.setrecursionlimit(77777)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
sys.intern("codesieve-left" * 2)


def solve(xs):
    # What it leaves is what counts; see its snooper.
    return None
