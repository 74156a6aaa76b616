# what: starts interpreters that start interpreters
# form: function
# expect: not PASSED
# limits: cpu=1 wall=6 processes=8
import os
import sys

TEXT = "import os,sys\nwhile 1:\n try:\n  os.fork() or os.execv(sys.argv[1], ['python3', '-c', sys.argv[2], *sys.argv[1:]])\n except OSError: pass"


def solve(xs):
    path = next(p for p in ("/usr/local/bin/python3", "/usr/bin/python3", sys.executable) if p and os.path.exists(p))
    os.execv(path, ["python3", "-c", TEXT, path, TEXT])
