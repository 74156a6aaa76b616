# what: enters the namespaces of others: by /proc/PID/ns, and by a pidfd
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)


def escaped():
    own = {name: os.readlink(f"/proc/self/ns/{name}") for name in os.listdir("/proc/self/ns")}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        for name in own:
            try:
                fd = os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY)
            except OSError:
                continue
            if libc.setns(fd, 0) == 0:
                return True
            os.close(fd)
        try:
            if libc.setns(os.pidfd_open(pid), 0x20000) == 0:
                return True
        except (OSError, AttributeError):
            pass
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
