# what: a daemon stays from one case to the next, to learn the tests and to write into the next case's output
# form: stdio
# expect: not PASSED
# limits: cpu=1 wall=5
import os
import sys
import time

given = sys.stdin.read()
place = "/tmp/learnt"
try:
    print(open(place).read())
except OSError:
    pass
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        try:
            open(place, "a").write(given)
        except OSError:
            pass
        time.sleep(0.05)
    os._exit(0)
