# what: looks for processes and sockets of earlier programs
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os
import socket


def escaped():
    own = os.getuid()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) != os.getpid():
            uids = next(line for line in open(f"/proc/{pid}/status") if line.startswith("Uid:")).split()[1:]
            if str(own) in uids:
                return True
    for family, address in ((socket.AF_UNIX, "\0codesieve-left"), (socket.AF_INET, ("127.0.0.1", 47614))):
        with socket.socket(family) as end:
            try:
                end.connect(address)
                return True
            except OSError:
                pass
    return any("codesieve-left" in line for line in open("/proc/net/unix"))


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
