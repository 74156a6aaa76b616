# what: a thread ends the process with status 0 while the test waits for the answer
# form: function
# expect: not PASSED
# limits: cpu=1 wall=10
import os
import threading
import time


def leave():
    time.sleep(0.2)
    os._exit(0)


def solve(xs):
    threading.Thread(target=leave).start()
    time.sleep(5)
