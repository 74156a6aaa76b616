# what: chroot, pivot_root, and fchdir by a directory held open
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)


def escaped():
    os.makedirs("jail", exist_ok=True)
    for act in (lambda: os.chroot("jail"), lambda: os.chroot("/")):
        try:
            act()
            return True
        except OSError:
            pass
    number = {"x86_64": 155, "aarch64": 41}.get(os.uname().machine)
    return number is not None and libc.syscall(number, b".", b".") == 0


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
