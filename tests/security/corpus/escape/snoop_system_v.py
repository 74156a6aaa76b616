# what: looks for System V objects of earlier programs
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes

libc = ctypes.CDLL(None)


def escaped():
    if any(libc.shmget(k, 0, 0) >= 0 or libc.semget(k, 0, 0) >= 0 or libc.msgget(k, 0) >= 0 for k in range(4242, 4250)):
        return True
    for name in ("shm", "sem", "msg"):
        try:
            if len(open("/proc/sysvipc/" + name).readlines()) > 1:
                return True
        except OSError:
            pass
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
