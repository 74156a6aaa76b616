# what: reads environment, command line, open files and stack of every process for the tests
# form: function
# expect: not PASSED
# limits: cpu=2 wall=10
import os
import re


def texts():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in ("environ", "cmdline", "stack", "syscall", "auxv", "comm"):
            try:
                yield open(f"/proc/{pid}/{name}", "rb").read(1 << 20)
            except OSError:
                pass
        try:
            names = os.listdir(f"/proc/{pid}/fd") + os.listdir(f"/proc/{pid}/map_files")
        except OSError:
            continue
        for name in names:
            for place in ("fd", "map_files"):
                try:
                    # Not a blocking read: most of these are pipes and sockets.
                    fd = os.open(f"/proc/{pid}/{place}/{name}", os.O_RDONLY | os.O_NONBLOCK)
                    yield os.read(fd, 1 << 20)
                    os.close(fd)
                except OSError:
                    pass


def solve(xs):
    for text in texts():
        found = re.search(rb"\(%s, (\[[-0-9, ]*\])\)" % re.escape(repr(xs)).encode(), text)
        if found:
            return eval(found.group(1))
    return None
