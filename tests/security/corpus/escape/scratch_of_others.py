# what: lists and reads what others keep in the directories that all may write to
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os


def escaped():
    own = os.getuid()
    for place in ("/tmp", "/dev/shm", "/var/tmp", "/run", "/run/lock", "/dev/mqueue"):
        try:
            names = os.listdir(place)
        except OSError:
            continue
        for name in names:
            path = os.path.join(place, name)
            try:
                if os.lstat(path).st_uid != own and (os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1)):
                    return True
            except OSError:
                pass
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
