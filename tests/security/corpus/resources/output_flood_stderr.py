# what: writes to stderr without end, from a thread that the answer doesn't wait for
# form: function
# expect: OUTPUT_LIMIT
# limits: cpu=3 output=100000
import sys
import threading
import time


def flood():
    while True:
        sys.stderr.write("E" * 5000)


threading.Thread(target=flood, daemon=True).start()


def solve(xs):
    time.sleep(10)
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
