# what: a repr that is code, for a judge that reads values back with eval
# form: function
# expect: not PASSED
class Code(list):
    TEXT = "__import__('sys')._getframe(1).f_globals.__setitem__('check', lambda c: None) or type('E', (), {'__eq__': lambda s, o: True})()"

    def __repr__(self):
        return self.TEXT

    __str__ = __format__ = lambda self, *spec: self.TEXT


class Quote(str):
    # Breaks out of a string literal, and out of a JSON one.
    def __repr__(self):
        return Code.TEXT


def solve(xs):
    return Code([Quote('", "passed": true, "x": "')])
