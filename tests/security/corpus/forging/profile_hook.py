# what: a profile hook that watches C calls for the harness's compile and exec, and leaves with 0 when check begins
# form: function
# expect: not PASSED
# limits: cpu=1 wall=10
import os
import sys
import threading


def profile(frame, event, argument):
    if event == "call" and frame.f_code.co_name in ("check", "report", "classify"):
        os._exit(0)


def solve(xs):
    return None


threading.setprofile(profile)
sys.setprofile(profile)
