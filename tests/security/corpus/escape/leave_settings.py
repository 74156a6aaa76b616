# what: leaves settings: priority, CPUs, locks on files that all share, limits, a changed umask, a keyring
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
# snooper: snoop_settings
import ctypes
import fcntl
import os
import sys
import time

libc = ctypes.CDLL(None)
for pid in [0, *map(int, filter(str.isdigit, os.listdir("/proc")))]:
    for act in (
        lambda: os.setpriority(os.PRIO_PROCESS, pid, 15),
        lambda: os.sched_setaffinity(pid, [min(os.sched_getaffinity(pid))]),
    ):
        try:
            act()
        except OSError:
            pass
try:
    os.setpriority(os.PRIO_USER, 0, 15)
except OSError:
    pass
os.umask(0)
libc.syscall(248, b"user", b"codesieve-left", b"data", 4, -4)
if os.fork() == 0:
    os.setsid()
    for place in ("/codesieve", "/usr/local/bin/python3", os.__file__, "/etc/passwd", "/tmp"):
        try:
            fcntl.flock(os.open(place, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass
    time.sleep(30)
    os._exit(0)
time.sleep(0.1)


def solve(xs):
    # What it leaves is what counts; see its snooper.
    return None
