# what: raw, packet and virtual-machine sockets
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import socket

KINDS = (
    (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    (socket.AF_PACKET, socket.SOCK_RAW, 0x0300),
    (socket.AF_PACKET, socket.SOCK_DGRAM, 0x0300),
)


def escaped():
    for family, kind, protocol in KINDS:
        try:
            socket.socket(family, kind, protocol).close()
            return True
        except OSError:
            pass
    # vsock reaches the machine's hypervisor whatever the network namespace.
    try:
        with socket.socket(40, socket.SOCK_STREAM) as end:
            end.settimeout(0.2)
            end.connect((2, 22))
            return True
    except OSError:
        return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
