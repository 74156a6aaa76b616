# what: new namespaces, by unshare, clone and clone3: a user namespace makes root of anyone
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)

FLAGS = (0x10000000, 0x10020000, 0x50000000, 0x10000000 | 0x20000000, 0x00020000, 0x02000000, 0x08000000)


def escaped():
    for flags in FLAGS:
        pid = os.fork()
        if pid == 0:
            os._exit(1 if libc.unshare(flags) == 0 else 0)
        if os.waitpid(pid, 0)[1]:
            return True
    # clone3 keeps its flags in memory, where a filter can't look.
    arguments = (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17)
    pid = libc.syscall(435, arguments, 88)
    if pid == 0:
        os._exit(1)
    return pid > 0 and os.waitpid(pid, 0)[1] != 0


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
