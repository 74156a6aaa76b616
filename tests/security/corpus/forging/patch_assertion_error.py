# what: makes AssertionError something that nobody catches, and every other exception look handled
# form: function
# expect: not PASSED
import builtins
import sys


class Quiet(SystemExit):
    def __init__(self, *arguments):
        super().__init__(0)


builtins.AssertionError = builtins.Exception = builtins.BaseException = Quiet
sys.excepthook = lambda *arguments: None


def solve(xs):
    return None
