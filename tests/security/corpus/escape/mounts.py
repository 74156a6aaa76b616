# what: mount, by the old call and by the new ones
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)


def escaped():
    os.makedirs("here", exist_ok=True)
    for kind, source in ((b"tmpfs", b"tmpfs"), (b"proc", b"proc"), (b"overlay", b"overlay"), (b"", b"/")):
        if libc.mount(source, b"here", kind, 0 if kind else 4096, None) == 0:
            return True
    # Remounting what is read-only.
    if libc.mount(b"", b"/", b"", 32 | 4096, None) == 0:
        return True
    # open_tree, fsopen: the same numbers on every machine.
    return libc.syscall(430, b"tmpfs", 0) >= 0 or libc.syscall(428, -100, b"/", 1) >= 0


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
