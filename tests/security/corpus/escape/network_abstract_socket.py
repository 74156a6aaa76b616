# what: abstract Unix sockets of the host: they belong to a network namespace, not to a file system
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import socket


def escaped():
    names = [line.split()[-1] for line in open("/proc/net/unix") if "@" in line]
    for name in ["@codesieve-canary", *names]:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
            with socket.socket(socket.AF_UNIX, kind) as end:
                try:
                    end.connect("\0" + name.lstrip("@"))
                    return True
                except OSError:
                    pass
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
