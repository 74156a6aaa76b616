# what: writes to stdout without end
# form: function
# expect: OUTPUT_LIMIT
# limits: cpu=3 output=100000
import os


def solve(xs):
    while True:
        os.write(1, b"y\n" * 2**15)
