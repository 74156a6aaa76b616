# what: leaves a daemon that outlives the call and keeps writing success to the inherited descriptors
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        for fd in range(1, 256):
            try:
                os.write(fd, b"passed\n")
            except OSError:
                pass
        time.sleep(0.02)
    os._exit(0)


def solve(xs):
    time.sleep(0.3)
    os._exit(0)
