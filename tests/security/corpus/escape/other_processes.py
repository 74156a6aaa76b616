# what: sees processes other than its own, the agent, the zygote and the judge, or reads their secrets
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os


def escaped():
    # Three of the sandbox's own and itself. Command lines may be seen; they must not say anything about a host.
    pids = [pid for pid in filter(str.isdigit, os.listdir("/proc"))]
    if len(pids) > 4:
        return True
    for pid in pids:
        text = open(f"/proc/{pid}/cmdline", "rb").read()
        if any(word in text for word in (b"/work", b"/home/", b"token", b"--runtime", b"docker")):
            return True
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
