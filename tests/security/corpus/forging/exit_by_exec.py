# what: replaces the process by one that ends with status 0 and inherits every descriptor
# form: function
# expect: not PASSED
# limits: cpu=1 wall=10
import os
import sys


def solve(xs):
    for fd in range(3, 256):
        try:
            os.set_inheritable(fd, True)
        except OSError:
            pass
    for path in ("/bin/true", "/usr/bin/true", "/usr/local/bin/python3", sys.executable or "/usr/bin/python3"):
        try:
            os.execv(path, [path, "-c", "pass"])
        except OSError:
            pass
