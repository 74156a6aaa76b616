# what: loads and removes kernel modules
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)

NUMBERS = {"x86_64": (175, 313, 176), "aarch64": (105, 273, 106)}.get(os.uname().machine, ())


def escaped():
    for number in NUMBERS:
        if libc.syscall(number, b"", 0, b"") == 0 or ctypes.get_errno() not in REFUSED:
            return True
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
