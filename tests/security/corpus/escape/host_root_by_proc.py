# what: another process's root, working directory and open files as a way out of its own
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os


def escaped():
    own = os.stat("/")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in ("root", "cwd", "exe"):
            try:
                place = f"/proc/{pid}/{name}"
                if name == "root" and (os.stat(place).st_dev, os.stat(place).st_ino) != (own.st_dev, own.st_ino):
                    return True
                if pid != str(os.getpid()):
                    os.stat(place + "/.")
                    # Another's directory can be entered at all.
                    return True
            except OSError:
                pass
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
