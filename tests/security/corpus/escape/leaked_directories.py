# what: descriptors of directories left open by whoever made the sandbox (runc's leaky vessels)
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os
import stat


def escaped():
    # openat by a leaked directory, and up from there.
    own = (os.stat("/").st_dev, os.stat("/").st_ino)
    for fd in range(3, 1024):
        try:
            if not stat.S_ISDIR(os.fstat(fd).st_mode):
                continue
            here = os.open("../../../../../../..", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        except OSError:
            continue
        if (os.fstat(here).st_dev, os.fstat(here).st_ino) != own:
            return True
    # And a working directory that lies outside.
    return not os.getcwd().startswith("/")


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
