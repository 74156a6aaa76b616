# what: byte code and path files that later interpreters would load: __pycache__, .pth, sitecustomize
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os
import site
import sys


def escaped():
    folders = {os.path.dirname(os.__file__), *sys.path, *site.getsitepackages(), "/codesieve", "/usr/local/lib", "/root"}
    folders |= {os.path.join(folder, "__pycache__") for folder in folders}
    for folder in folders:
        # Its own scratch directory is its own affair.
        if os.path.realpath(folder).startswith(os.getcwd()):
            continue
        for name in ("sitecustomize.py", "evil.pth", "json.cpython-311.pyc"):
            try:
                os.makedirs(folder, exist_ok=True)
                with open(os.path.join(folder, name), "a") as file:
                    file.write("")
                return True
            except OSError:
                pass
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
