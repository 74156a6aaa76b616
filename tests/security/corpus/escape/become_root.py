# what: every way to another user id: setuid, setgroups, capset, ambient capabilities, securebits
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)

import struct


def escaped():
    own = os.getuid()
    for act in (
        lambda: os.setuid(0),
        lambda: os.setresuid(0, 0, 0),
        lambda: os.setresuid(own + 1, own + 1, own + 1),
        lambda: os.setuid(own + 1),
        lambda: os.setgid(0),
        lambda: os.setgroups([0]),
        lambda: os.chown(".", 0, 0),
        lambda: os.chown(".", own + 1, -1),
    ):
        try:
            act()
            return True
        except OSError:
            pass
    header = struct.pack("=Ii", 0x20080522, 0)
    if libc.capset(header, struct.pack("=IIIIII", 0xC0, 0xC0, 0xC0, 0, 0, 0)) == 0:
        return True
    # PR_SET_SECUREBITS, PR_CAP_AMBIENT raise; and no-new-privileges has to be on.
    if libc.prctl(28, 1, 0, 0, 0) == 0 or libc.prctl(47, 2, 7, 0, 0) == 0 or libc.prctl(39, 0, 0, 0, 0) != 1:
        return True
    return "CapEff:\t0000000000000000" not in open("/proc/thread-self/status").read()


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
