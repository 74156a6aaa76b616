# what: one file that grows until it is stopped, with SIGXFSZ ignored
# form: function
# expect: not PASSED
# limits: cpu=2 wall=10 file=2
import os
import signal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def solve(xs):
    with open("/tmp/large", "wb", 0) as file:
        while True:
            file.write(bytes(2**20))
            os.fsync(file.fileno())
