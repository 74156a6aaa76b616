# what: families of sockets that are nobody's business here and a large part of the kernel: AF_ALG, AF_KEY, CAN, TIPC
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import socket

FAMILIES = (38, 15, 29, 30, 21, 31, 44)


def escaped():
    for family in FAMILIES:
        for kind in (socket.SOCK_SEQPACKET, socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
            try:
                socket.socket(family, kind, 2 if family == 15 else 0).close()
                return True
            except OSError:
                pass
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
