# what: the environment, command line secrets and descriptors of the first process
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os


def escaped():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid():
            continue
        for name in ("environ", "maps", "mem", "auxv", "stack", "io", "syscall", "personality", "pagemap"):
            try:
                if open(f"/proc/{pid}/{name}", "rb").read(1):
                    return True
            except OSError:
                pass
        try:
            os.listdir(f"/proc/{pid}/fd")
            return True
        except OSError:
            pass
    # Its own environment holds what the worker was started with?
    return any("CANARY" in name or "TOKEN" in name or "KEY" in name for name in os.environ)


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
