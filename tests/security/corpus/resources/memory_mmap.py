# what: anonymous mappings, shared and private, touched page by page
# form: function
# expect: not PASSED
# limits: cpu=5 memory=128
import mmap


def solve(xs):
    held = []
    while True:
        area = mmap.mmap(-1, 2**24, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
        area[:: mmap.PAGESIZE] = b"x" * (2**24 // mmap.PAGESIZE)
        held.append(area)
