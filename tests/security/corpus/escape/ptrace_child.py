# what: asks to be traced by its parent, and traces a child: ptrace has no business here at all
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)

def escaped():
    # A traced child's system calls can be rewritten under the eyes of a filter.
    pid = os.fork()
    if pid == 0:
        os._exit(1 if libc.ptrace(0, 0, 0, 0) == 0 else 0)
    return os.waitpid(pid, 0)[1] != 0


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
