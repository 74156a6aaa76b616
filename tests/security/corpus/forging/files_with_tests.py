# what: reads every file it can reach that isn't the system's for the tests
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os
import re

SKIP = ("/proc", "/sys", "/usr", "/lib", "/lib64", "/bin", "/sbin")


def solve(xs):
    pattern = re.compile(rb"\(%s, (\[[-0-9, ]*\])\)" % re.escape(repr(xs)).encode())
    for folder, folders, names in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in SKIP]
        for name in names:
            try:
                fd = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
                data = os.read(fd, 1 << 20)
                os.close(fd)
            except OSError:
                continue
            found = pattern.search(data)
            if found:
                return eval(found.group(1))
    return None
