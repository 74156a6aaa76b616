# what: looks for files of earlier programs
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os


def escaped():
    for folder in ("/tmp", "/dev/shm", "/var/tmp", "/run", "/codesieve", "/dev"):
        for top, folders, names in os.walk(folder):
            if any("codesieve-left" in name or name in ("tmpabcdefgh", "0" * 16, "deep") for name in folders + names):
                return True
    # Nothing but its own directory there.
    return any(os.path.join("/tmp", name) != os.getcwd() for name in os.listdir("/tmp"))


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
