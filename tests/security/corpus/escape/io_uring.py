# what: io_uring, whose operations pass by system call filters
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)


def escaped():
    fd = libc.syscall(425, 1, ctypes.create_string_buffer(120))
    # EFAULT and EINVAL would mean that the call is there.
    return fd >= 0 or ctypes.get_errno() not in REFUSED


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
