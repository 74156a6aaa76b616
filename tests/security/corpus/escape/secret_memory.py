# what: memory that not even the kernel can look into (memfd_secret)
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)


def escaped():
    return libc.syscall(447, 0) >= 0


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
