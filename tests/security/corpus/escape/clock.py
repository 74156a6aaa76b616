# what: sets the machine's clock, and steers it by adjtimex
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)

import time


def escaped():
    for which in (time.CLOCK_REALTIME, time.CLOCK_MONOTONIC, getattr(time, "CLOCK_TAI", 11)):
        try:
            time.clock_settime(which, time.clock_gettime(which))
            return True
        except OSError:
            pass
    # ADJ_TICK with the tick that there is; reading alone is harmless and allowed.
    buffer = ctypes.create_string_buffer(512)
    libc.adjtimex(buffer)
    buffer[0:4] = (0x4000).to_bytes(4, "little")
    return libc.adjtimex(buffer) >= 0


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
