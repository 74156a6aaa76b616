# what: puts its own pipe in the place of every descriptor, so that it hears and answers itself
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import os

read, write = os.pipe()
os.write(write, b"\x00\x00\x00\x01T" * 1000)


def solve(xs):
    for fd in range(256):
        if fd not in (read, write):
            try:
                os.dup2(read if fd % 2 else write, fd)
            except OSError:
                pass
    return None
