# what: types into a terminal of the host by TIOCSTI, and takes a controlling terminal
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import fcntl
import os
import termios


def escaped():
    for place in ("/dev/tty", "/dev/console", "/dev/pts/0", "/proc/1/fd/0"):
        try:
            fd = os.open(place, os.O_RDWR | os.O_NOCTTY)
            fcntl.ioctl(fd, termios.TIOCSTI, b" ")
            return True
        except OSError:
            pass
    return any(os.isatty(fd) for fd in range(256))


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
