# what: loads a BPF program and makes a map
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)

NUMBER = {"x86_64": 321, "aarch64": 280}.get(os.uname().machine)


def escaped():
    if NUMBER is None:
        return False
    # BPF_MAP_CREATE: an array of one.
    attributes = (ctypes.c_uint32 * 18)(2, 4, 4, 1)
    fd = libc.syscall(NUMBER, 0, attributes, 72)
    return fd >= 0 or ctypes.get_errno() not in REFUSED


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
