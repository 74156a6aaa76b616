# what: at import it fills every channel with answers to calls that nobody has made yet
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import os
import struct


def answer(kind, number, *parts):
    body = b"".join(struct.pack("!I", len(part)) + part for part in parts)
    return struct.pack("!IBI", len(body) + 5, kind, number) + body


# "Loaded", and then a stop of every kind for the questions to come.
READY = b"".join(answer(kind, number) for number in range(1, 12) for kind in (7, 3, 5))
VALUES = b"".join(answer(1, number, b"T", b"", b"bool") for number in range(1, 12))
for fd in range(3, 256):
    for data in (READY, VALUES):
        try:
            os.write(fd, data)
        except OSError:
            break


def solve(xs):
    return True
