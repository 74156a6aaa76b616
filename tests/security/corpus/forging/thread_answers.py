# what: a thread writes answers of its own to every descriptor while the call still computes
# form: function
# expect: not PASSED
# limits: cpu=1 wall=3
import os
import threading
import time


def babble():
    end = time.monotonic() + 1
    while time.monotonic() < end:
        for fd in range(3, 256):
            for text in (b"\x00\x00\x00\x0e\x01\x00\x00\x00\x01\x00\x00\x00\x01T", b"PASSED\n", b"\x01"):
                try:
                    os.write(fd, text)
                except OSError:
                    break
        time.sleep(0.01)


def solve(xs):
    thread = threading.Thread(target=babble)
    thread.start()
    thread.join()
    return None
