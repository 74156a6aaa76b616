# what: finds the runner's secret up the stack while a test runs, and sends the report and the exit status that it would
# form: script
# expect: not PASSED
# limits: cpu=2 wall=10
# shared: the runner's secret has to be in the process that it reports from
import os
import struct
import sys


def answer(kind, number, *parts):
    body = b"".join(struct.pack("!I", len(part)) + part for part in parts)
    return struct.pack("!IBI", len(body) + 5, kind, number) + body


def solve(xs):
    frame = sys._getframe()
    while frame is not None:
        held = frame.f_locals
        if "parts" in held and "number" in held and "fd" in held:
            secret = next(part for part in reversed(held["parts"]) if len(part) == 16)
            os.write(held["fd"], answer(1, held["number"], secret, b"1", b"", b"", b""))
            os._exit(100 + secret[0] % 100)
        frame = frame.f_back
