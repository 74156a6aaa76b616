# what: the kernel's key rings, which outlive processes and are shared by user id
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)

NUMBERS = {"x86_64": (248, 249, 250), "aarch64": (217, 218, 219)}.get(os.uname().machine, ())


def escaped():
    if not NUMBERS:
        return False
    add_key, request_key, keyctl = NUMBERS
    for ring in (-1, -3, -4, -5):
        if libc.syscall(add_key, b"user", b"codesieve", b"data", 4, ring) >= 0:
            return True
        if libc.syscall(keyctl, 0, ring, 1) >= 0 or ctypes.get_errno() not in REFUSED:
            return True
    return libc.syscall(request_key, b"user", b"codesieve", None, 0) >= 0


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
