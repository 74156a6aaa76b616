# what: multiprocessing's shared memory, filled and never unlinked
# form: function
# expect: not PASSED
# limits: cpu=3 wall=15 file=16
from multiprocessing import resource_tracker, shared_memory

resource_tracker.register = lambda *arguments: None


def solve(xs):
    held = []
    while True:
        area = shared_memory.SharedMemory(create=True, size=2**23)
        area.buf[:] = bytes(2**23)
        held.append(area)
