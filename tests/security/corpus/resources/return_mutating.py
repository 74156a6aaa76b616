# what: a list subclass that grows while it is iterated, and a dict that changes while it is read
# form: function
# expect: not PASSED
# limits: cpu=2 wall=20 memory=256
import threading

grown = [0]


def grow():
    while True:
        grown.append(len(grown))


def solve(xs):
    for _ in range(2):
        threading.Thread(target=grow, daemon=True).start()
    return grown
