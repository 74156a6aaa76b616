# what: a daemon thread and a non-daemon one that are still at work when the answer is there
# form: function
# expect: PASSED
import threading
import time

threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
threading.Thread(target=time.sleep, args=(60,)).start()


def solve(xs):
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
