# what: looks for settings that earlier programs left
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import fcntl
import os

libc = ctypes.CDLL(None)


def escaped():
    if os.getpriority(os.PRIO_PROCESS, 0) != os.getpriority(os.PRIO_PROCESS, 1):
        return True
    if os.sched_getaffinity(0) != os.sched_getaffinity(1):
        return True
    for place in ("/codesieve", "/usr/local/bin/python3", os.__file__, "/etc/passwd", "/tmp"):
        try:
            fd = os.open(place, os.O_RDONLY)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        os.close(fd)
    return os.uname().machine == "x86_64" and libc.syscall(249, b"user", b"codesieve-left", None, 0) >= 0


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
