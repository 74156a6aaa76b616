# what: returns the very argument and goes on changing it after it has answered, until it is what was expected
# form: function
# problem: listed
# expect: not PASSED
import threading
import time

given = []


def morph():
    guesses = ([1, 4], [16, 0, 49], [], [121, 121])
    for turn in range(400):
        for xs in given:
            xs[:] = guesses[turn % len(guesses)]
        time.sleep(0.001)


threading.Thread(target=morph, daemon=True).start()


def solve(xs):
    given.append(xs)
    time.sleep(0.01)
    return iter(xs)
