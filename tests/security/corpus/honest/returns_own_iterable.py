# what: an instance of a class of its own that can be iterated
# form: function
# problem: listed
# expect: PASSED
class Squares:
    def __init__(self, xs):
        self.once = [x for x in sorted(xs) if xs.count(x) == 1]

    def __iter__(self):
        return SquaresIterator(iter(self.once))


class SquaresIterator:
    def __init__(self, numbers):
        self.numbers = numbers

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.numbers) ** 2


def solve(xs):
    return Squares(xs)
