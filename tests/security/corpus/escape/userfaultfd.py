# what: userfaultfd, which holds the kernel in the middle of a copy
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)

NUMBER = {"x86_64": 323, "aarch64": 282}.get(os.uname().machine)


def escaped():
    if NUMBER is None:
        return False
    return any(libc.syscall(NUMBER, flags) >= 0 or ctypes.get_errno() not in REFUSED for flags in (0, 1))


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
