# what: TCP to the host by every address it might have, and out to the world
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import socket

PORTS = (47613, 22, 80, 443, 2375, 6379, 10250)
HOSTS = ("127.0.0.1", "172.17.0.1", "10.0.2.2", "169.254.169.254", "192.168.65.2", "1.1.1.1", "::1", "fe80::1")


def escaped():
    # 127.0.0.1 is the cell's own loopback: nobody listens there but this program.
    for host in HOSTS:
        for port in PORTS:
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as end:
                end.settimeout(0.05)
                try:
                    end.connect((host, port))
                except OSError:
                    continue
                end.sendall(b"out")
                return True
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
