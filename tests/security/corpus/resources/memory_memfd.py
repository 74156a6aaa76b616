# what: memory in files without a name, which no address space limit counts
# form: function
# expect: not PASSED
# limits: cpu=5 wall=15 file=16
import os


def solve(xs):
    held = []
    while len(held) < 100:
        fd = os.memfd_create("hidden")
        os.write(fd, bytes(2**24))
        held.append(fd)
    return len(held)
