# what: leaves with status 0 when the returned object is collected, after it has been sent and before it is compared
# form: function
# expect: not PASSED
# limits: cpu=1 wall=10
import os


class Last(list):
    def __del__(self):
        os._exit(0)


def solve(xs):
    return Last([1, 4])
