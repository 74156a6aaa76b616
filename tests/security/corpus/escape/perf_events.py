# what: performance counters of the whole machine
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)

NUMBER = {"x86_64": 298, "aarch64": 241}.get(os.uname().machine)


def escaped():
    if NUMBER is None:
        return False
    attributes = ctypes.create_string_buffer(128)
    attributes[4] = 112
    for pid, cpu in ((-1, 0), (0, -1), (1, -1)):
        if libc.syscall(NUMBER, attributes, pid, cpu, -1, 0) >= 0 or ctypes.get_errno() not in REFUSED:
            return True
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
