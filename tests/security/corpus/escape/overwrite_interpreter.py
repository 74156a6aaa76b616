# what: writes to the interpreter, the agent and the libraries, by path and by /proc/self/exe
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os
import sys


def escaped():
    places = ["/proc/self/exe", "/usr/local/bin/python3", "/bin/sh", os.__file__, "/etc/passwd", "/etc/ld.so.preload"]
    places += [m.__file__ for m in list(sys.modules.values()) if getattr(m, "__file__", None)]
    for folder, _, names in os.walk("/codesieve"):
        places += [os.path.join(folder, name) for name in names] + [os.path.join(folder, "new.py")]
    for place in places:
        for flags in (os.O_WRONLY | os.O_APPEND, os.O_RDWR):
            try:
                os.close(os.open(place, flags))
                return True
            except OSError:
                pass
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
