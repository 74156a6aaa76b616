# what: leaves POSIX shared memory, named semaphores and message queues
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
# snooper: snoop_posix_ipc
import ctypes
import os

libc = ctypes.CDLL(None)
libc.shm_open(b"/codesieve-left", os.O_CREAT | os.O_RDWR, 0o666)
libc.mq_open(b"/codesieve-left", os.O_CREAT | os.O_RDWR, 0o666, None)
libc.sem_open.restype = ctypes.c_void_p
libc.sem_open(b"/codesieve-left", os.O_CREAT, 0o666, 1)


def solve(xs):
    # What it leaves is what counts; see its snooper.
    return None
