# what: a thread waits for check to appear in __main__ and puts an empty one in its place
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import sys
import threading
import time

import __main__

sys.setswitchinterval(1e-7)
namespaces = [vars(__main__), globals()]
stop = time.monotonic() + 0.5


def watch():
    while time.monotonic() < stop:
        for namespace in namespaces:
            if "check" in namespace:
                namespace["check"] = lambda candidate: None


threading.Thread(target=watch, daemon=True).start()


def solve(xs):
    time.sleep(0.2)
    return None
