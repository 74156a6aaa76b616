# what: empty files until the inodes run out
# form: function
# expect: not PASSED
# limits: cpu=5 wall=20
import os


def solve(xs):
    for number in range(200000):
        os.close(os.open(f"/tmp/{number}", os.O_CREAT, 0))
