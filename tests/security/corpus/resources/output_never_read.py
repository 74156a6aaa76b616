# what: sets its pipes to non-blocking, fills them and leaves them, with half a character at the end
# form: function
# expect: PASSED
import os

for fd in (1, 2):
    os.set_blocking(fd, False)
    try:
        os.write(fd, b"\xf0\x9f\x98" * 20000)
    except BlockingIOError:
        pass


def solve(xs):
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
