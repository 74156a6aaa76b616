# what: exceptions whose arguments and text run code or lie when they are rebuilt or shown elsewhere
# form: function
# expect: not PASSED
class Hostile(UnicodeDecodeError, AssertionError.__mro__[1]):
    def __init__(self):
        super().__init__("utf-8", b"", 0, 1, "x")
        self.args = (Hostile, self, "passed", {"passed": True})
        self.__cause__ = self.__context__ = None
        self.with_traceback = None

    def __str__(self):
        raise SystemExit(0)

    def __reduce__(self):
        return exit, (0,)

    __repr__ = __str__


def solve(xs):
    raise Hostile
