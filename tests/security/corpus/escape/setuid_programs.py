# what: looks for programs that run as another user, and makes one
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os
import shutil
import stat
import subprocess


def escaped():
    for top in ("/bin", "/usr", "/sbin", "/opt", "/codesieve"):
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                try:
                    mode = os.lstat(path).st_mode
                except OSError:
                    continue
                if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                    done = subprocess.run([path, "--help"], capture_output=True, timeout=2, check=False)
                    # It has to be more than there: nosuid and no-new-privileges make it an ordinary program.
                    if b"uid=0" in done.stdout:
                        return True
    python = next(p for p in ("/usr/local/bin/python3", "/usr/bin/python3") if os.path.exists(p))
    try:
        shutil.copy(python, "/tmp/mine")
        os.chmod("/tmp/mine", 0o6755)
        done = subprocess.run(["/tmp/mine", "-c", "import os; print(os.geteuid())"], capture_output=True, check=False)
    except OSError:
        return False
    return done.stdout.strip() == b"0"


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
