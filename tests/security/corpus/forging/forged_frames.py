# what: this project's own kind of frame, a report of success with every likely number, on every descriptor
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import os
import struct


def value(x):
    if isinstance(x, bytes):
        return b"b" + struct.pack("!I", len(x)) + x
    if isinstance(x, str):
        return b"s" + struct.pack("!I", len(x)) + x.encode()
    if isinstance(x, float):
        return b"f" + struct.pack("!d", x)
    return b"i" + struct.pack("!q", x)


def frame(*values):
    body = b"".join(map(value, values))
    return struct.pack("!I", len(body)) + body


def solve(xs):
    for fd in range(3, 256):
        for message in (
            frame(1, "", ""),
            frame(bytes(16), 1, "", ""),
            frame(4, 1, 0, 0, 1, "", "", 0.1, 0.1, 1000, b"", b""),
            frame(9, frame(1, "", "", 0, 1, "", "", b"", b"", 0.1)),
            frame(4, 1, 0, frame(1, "", "")),
            frame(7, 1, 0, 0.1, 1000),
        ):
            try:
                os.write(fd, message)
            except OSError:
                break
    os._exit(0)
