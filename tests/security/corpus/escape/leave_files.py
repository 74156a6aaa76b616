# what: leaves files in every place that it may write to, hidden and under names that look like others'
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
# snooper: snoop_files
import os

for folder in ("/tmp", "/dev/shm", "/var/tmp", "/run", "/codesieve", "/dev", "/proc/self", os.path.expanduser("~")):
    for name in ("codesieve-left", ".codesieve-left", "tmpabcdefgh", "0" * 16):
        try:
            with open(os.path.join(folder, name), "w") as file:
                file.write("codesieve-left")
            os.chmod(os.path.join(folder, name), 0o777)
        except OSError:
            pass
    try:
        os.makedirs(os.path.join(folder, "deep/codesieve-left/er"))
    except OSError:
        pass
# Open and unlinked, and held by a daemon.
file = open("/tmp/held", "w+")
os.unlink("/tmp/held")
if os.fork() == 0:
    os.setsid()
    import time

    time.sleep(30)
    os._exit(0)


def solve(xs):
    # What it leaves is what counts; see its snooper.
    return None
