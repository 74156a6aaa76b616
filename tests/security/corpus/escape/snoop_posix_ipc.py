# what: looks for POSIX shared memory, semaphores and queues of earlier programs
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import os

libc = ctypes.CDLL(None)
libc.sem_open.restype = ctypes.c_void_p


def escaped():
    if libc.shm_open(b"/codesieve-left", os.O_RDWR, 0) >= 0 or libc.mq_open(b"/codesieve-left", os.O_RDWR) >= 0:
        return True
    if libc.sem_open(b"/codesieve-left", 0):
        return True
    return any(os.path.isdir(place) and os.listdir(place) for place in ("/dev/shm", "/dev/mqueue"))


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
