# what: hands out objects that stay on its side and answers every question about them as suits the moment
# form: function
# problem: typed
# expect: not PASSED
class Handle:
    """Not plain data: a judge that lets it through asks the program for len(), items, truth and text."""

    def __init__(self, n):
        self.n = n
        self.asked = 0

    def __len__(self):
        return self.n

    def __bool__(self):
        return True

    def __getitem__(self, index):
        if index >= self.n:
            raise IndexError(index)
        return Handle(1)

    def __iter__(self):
        return (Handle(1) for _ in range(self.n))

    def __eq__(self, other):
        return True

    def __call__(self, *arguments):
        return self

    def __getattr__(self, name):
        return self

    def __repr__(self):
        return "[1, 4]"


def solve(xs):
    return Handle(sum(xs.count(x) == 1 for x in xs))
