# what: names of its own that hide built-in ones which the tests use too
# form: function
# problem: typed
# expect: PASSED
def len(xs):
    return "my own len"


def list(xs):
    return "my own list"


all = isinstance = None


def solve(xs):
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
