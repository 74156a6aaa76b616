# what: pickled results, framed as multiprocessing frames them, on every descriptor
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import os
import pickle
import struct

RESULTS = (True, "passed", ["passed"], (True, None), {"passed": True, "verdict": "PASSED"}, ("#RETURN", None), 0, b"")


def solve(xs):
    for fd in range(3, 256):
        for result in RESULTS:
            data = pickle.dumps(result)
            for text in (data, struct.pack("!i", len(data)) + data, struct.pack("<Q", len(data)) + data):
                try:
                    os.write(fd, text)
                except OSError:
                    break
    os._exit(0)
