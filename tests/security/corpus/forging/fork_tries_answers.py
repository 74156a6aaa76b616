# what: a forked child tries each guess first and the parent answers with the one whose child ended well
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import os


def solve(xs):
    guesses = ([], [1], [4], [1, 4], [1, 36], [16, 0, 49], [121, 121])
    for guess in guesses:
        pid = os.fork()
        if pid == 0:
            return guess
        # If the child comes through all tests, its harness ends with 0; else with another status.
        if os.waitpid(pid, 0)[1] == 0 and len(guess) != len(xs):
            return None
    return None
