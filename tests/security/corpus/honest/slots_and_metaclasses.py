# what: metaclasses, descriptors and __slots__ on the way to a plain answer
# form: function
# expect: PASSED
class Meta(type):
    def __call__(cls, *arguments):
        return list(super().__call__(*arguments).answer())


class Square:
    def __get__(self, owner, kind):
        return owner.x**2


class Number:
    __slots__ = ("x",)
    square = Square()


class solve(metaclass=Meta):
    def __init__(self, xs):
        self.numbers = []
        for x in sorted(xs):
            if xs.count(x) == 1:
                number = Number()
                number.x = x
                self.numbers.append(number)

    def answer(self):
        for number in self.numbers:
            yield number.square
