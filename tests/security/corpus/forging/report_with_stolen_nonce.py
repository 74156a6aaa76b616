# what: finds secrets of 16 bytes up the stack and reports success with them, with the matching exit status
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import os
import struct
import sys


def value(x):
    return (b"i" + struct.pack("!q", x)) if isinstance(x, int) else (b"b" if isinstance(x, bytes) else b"s") + struct.pack("!I", len(x)) + (x if isinstance(x, bytes) else x.encode())


def frame_of(*values):
    body = b"".join(map(value, values))
    return struct.pack("!I", len(body)) + body


def answer(kind, number, *parts):
    body = b"".join(struct.pack("!I", len(part)) + part for part in parts)
    return struct.pack("!IBI", len(body) + 5, kind, number) + body


secrets = []
frame = sys._getframe()
while frame is not None:
    for held in list(frame.f_locals.values()):
        for thing in held if isinstance(held, (list, tuple)) else [held]:
            if isinstance(thing, bytes) and len(thing) == 16:
                secrets.append(thing)
    frame = frame.f_back

for secret in secrets:
    for fd in range(3, 256):
        for data in (frame_of(secret, 1, "", ""), answer(1, 1, secret, b"1", b"", b"")):
            try:
                os.write(fd, data)
            except OSError:
                break
    os._exit(100 + secret[0] % 100)


def solve(xs):
    return None
