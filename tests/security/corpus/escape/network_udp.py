# what: UDP, broadcast and multicast: a packet that can be sent without an error has left
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import socket


def escaped():
    for address in ("172.17.0.1", "255.255.255.255", "224.0.0.1", "8.8.8.8", "169.254.169.254"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            try:
                end.sendto(b"out", (address, 47613))
                return True
            except OSError:
                pass
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
