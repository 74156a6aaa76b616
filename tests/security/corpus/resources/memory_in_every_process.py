# what: each of several children takes nearly as much memory as one may have, all at the same time
# form: function
# expect: not PASSED
# limits: cpu=5 wall=20 memory=400
import os
import time


def solve(xs):
    for _ in range(12):
        if os.fork() == 0:
            held = bytearray(300 * 2**20)
            time.sleep(10)
            os._exit(len(held) % 2)
    for _ in range(12):
        os.wait()
    return None
