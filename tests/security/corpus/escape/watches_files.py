# what: fanotify on the whole machine; inotify on the agent's files
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)


def escaped():
    number = {"x86_64": 300, "aarch64": 262}.get(os.uname().machine)
    if number is None:
        return False
    # Permission events need privilege; a plain group since 5.13 doesn't, but can mark nothing of others.
    return libc.syscall(number, 0x04, 0) >= 0


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
