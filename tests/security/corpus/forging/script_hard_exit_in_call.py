# what: os._exit(0) inside the first test, behind a printed summary
# form: script
# expect: not PASSED
# limits: cpu=2 wall=10
import os


def solve(xs):
    os.write(1, b"4 passed in 0.01s\n")
    os.write(2, b"Ran 4 tests in 0.001s\n\nOK\n")
    os._exit(0)
