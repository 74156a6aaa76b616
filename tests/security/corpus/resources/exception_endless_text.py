# what: raises an exception whose __str__ never returns
# form: function
# expect: RAISED or TIMED_OUT
# limits: cpu=1 wall=10
class Endless(Exception):
    def __str__(self):
        while True:
            pass

    __repr__ = __str__


def solve(xs):
    raise Endless
