# what: many processes write a little each, together far more than one may
# form: function
# expect: OUTPUT_LIMIT
# limits: cpu=3 wall=10 output=50000 processes=12
import os
import time


def solve(xs):
    for _ in range(10):
        if os.fork() == 0:
            for _ in range(100):
                os.write(1, b"x" * 1000)
            os._exit(0)
    time.sleep(8)
