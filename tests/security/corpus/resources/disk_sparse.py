# what: files that claim to be terabytes, and one that is held open after it was unlinked
# form: function
# expect: not PASSED
# limits: cpu=2 wall=10 file=2
import os
import signal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def solve(xs):
    file = open("/dev/shm/hidden", "wb")
    os.unlink("/dev/shm/hidden")
    os.truncate(file.fileno(), 2**42)
