# what: forks for ever, in every child as well, and takes no error for an answer
# form: function
# expect: not PASSED
# limits: cpu=1 wall=6
import os


def solve(xs):
    while True:
        try:
            os.fork()
        except OSError:
            pass
