# what: raises an exception of its own that derives from the expected one by way of two others
# form: function
# problem: raises
# expect: PASSED
class Problem(Exception):
    def __init__(self, what, *, where):
        super().__init__(what)
        self.where = where


class Empty(Problem, ValueError):
    def __str__(self):
        return f"nothing at {self.where}"


def solve(xs):
    if not xs:
        raise Empty("empty", where=__name__)
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
