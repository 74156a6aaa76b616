# what: leaves System V shared memory, semaphores and message queues
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
# snooper: snoop_system_v
import ctypes

libc = ctypes.CDLL(None)
for key in range(4242, 4250):
    libc.shmget(key, 4096, 0o1666)
    libc.semget(key, 1, 0o1666)
    libc.msgget(key, 0o1666)


def solve(xs):
    # What it leaves is what counts; see its snooper.
    return None
