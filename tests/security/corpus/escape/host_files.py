# what: the host's files: shadow, home directories, keys, the project itself, the canary that the test put there
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os

PLACES = (
    "/etc/shadow",
    "/etc/gshadow",
    "/root/.ssh",
    "/root/.bashrc",
    "/home",
    "/work",
    "/tmp/codesieve-canary",
    "/var/lib/docker",
    "/etc/machine-id",
    "/host",
    "/mnt",
    "/.dockerenv-host",
    "/boot",
)


def escaped():
    for place in PLACES:
        try:
            if os.path.isdir(place):
                if os.listdir(place):
                    return True
            elif open(place, "rb").read():
                return True
        except OSError:
            pass
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
