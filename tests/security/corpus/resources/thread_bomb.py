# what: starts threads until the system refuses
# form: function
# expect: not PASSED
# limits: cpu=1 wall=6
import threading
import time


def solve(xs):
    while True:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
