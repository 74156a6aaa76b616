# what: makes itself nicest, binds itself to one CPU, asks for the idle scheduler, and does so for all it may
# form: function
# expect: PASSED
import os

for pid in [0, *map(int, filter(str.isdigit, os.listdir("/proc")))]:
    for act in (
        lambda: os.setpriority(os.PRIO_PROCESS, pid, 19),
        lambda: os.sched_setaffinity(pid, [min(os.sched_getaffinity(pid))]),
        lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)),
    ):
        try:
            act()
        except OSError:
            pass


def solve(xs):
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
