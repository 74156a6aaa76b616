# what: defines the names that assertions use: sorted, set, isinstance, len, all
# form: assertions
# expect: not PASSED
class Equal(list):
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


def solve(xs):
    return Equal()


def sorted(*arguments, **named):
    return Equal()


def set(*arguments):
    return Equal()


def isinstance(*arguments):
    return True


def len(thing):
    return 2


def all(things):
    return True
