# what: writes one answer to the channel by hand and returns another, so that each later call gets the one before
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import os
import stat
import struct

calls = 1


def answer(kind, number, *parts):
    body = b"".join(struct.pack("!I", len(part)) + part for part in parts)
    return struct.pack("!IBI", len(body) + 5, kind, number) + body


def solve(xs):
    global calls
    calls += 1
    for fd in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                # "It raised the error that you expect", then a value under the number of the call that comes next.
                os.write(fd, answer(1, calls, b"N", b"", b"NoneType") + answer(1, calls + 1, b"T", b"", b"bool"))
        except OSError:
            pass
    return []
