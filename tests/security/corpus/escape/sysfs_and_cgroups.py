# what: writes to /sys: its control group's limits, release_agent, uevent helper, power and firmware
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os

NAMES = {"release_agent", "notify_on_release", "cgroup.procs", "memory.limit_in_bytes", "memory.max", "pids.max", "uevent", "uevent_helper", "state", "cpu.max", "memory.high", "cgroup.freeze", "cgroup.kill", "tasks"}


def escaped():
    seen = 0
    for top in ("/sys/fs/cgroup", "/sys/kernel", "/sys/power", "/sys/firmware", "/sys/class", "/sys/fs/bpf"):
        for folder, folders, names in os.walk(top):
            seen += len(names)
            if seen > 20000:
                break
            for name in NAMES.intersection(names):
                try:
                    os.close(os.open(os.path.join(folder, name), os.O_WRONLY))
                    return True
                except OSError:
                    pass
    try:
        os.mkdir("/sys/fs/cgroup/codesieve-escape")
        return True
    except OSError:
        pass
    # The counter that the agent reads must not be writable either.
    try:
        os.close(os.open("/oom_counter", os.O_WRONLY))
        return True
    except OSError:
        return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
