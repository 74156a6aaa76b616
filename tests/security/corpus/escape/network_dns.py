# what: names looked up: by the C library, by a resolver socket and by a packet of its own
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import socket


def escaped():
    for name in ("example.com", "host.docker.internal", "gateway.docker.internal", "metadata.google.internal"):
        try:
            socket.getaddrinfo(name, 80)
            return True
        except OSError:
            pass
    for server in ("127.0.0.11", "127.0.0.53", "8.8.8.8"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.settimeout(0.2)
            try:
                end.connect((server, 53))
                end.send(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01")
                if end.recv(512):
                    return True
            except OSError:
                pass
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
