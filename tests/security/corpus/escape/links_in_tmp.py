# what: symbolic and hard links that lead whoever cleans up to files that aren't the program's
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os


def escaped():
    scratch = os.getcwd()
    for name, target in (("a", "/usr/local/bin"), ("b", "/codesieve"), ("c", "/etc/passwd"), ("d", "/proc/1/root")):
        for folder in (scratch, "/tmp"):
            try:
                os.symlink(target, f"{folder}/{name}")
            except OSError:
                pass
    for source in ("/usr/local/bin/python3", "/etc/passwd", "/codesieve/agent.py", "/proc/self/exe"):
        try:
            os.link(source, "/tmp/hard", follow_symlinks=True)
            return True
        except OSError:
            pass
    # The scratch directory itself becomes a link: who empties it empties its target.
    os.chdir("/tmp")
    try:
        os.rename(scratch, "/tmp/moved")
        os.symlink("/usr/local", scratch)
    except OSError:
        pass
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
