# what: a result nested so deep that it can't be sent back as an argument, to be judged in one process and forge there
# form: function
# problem: twice
# expect: not PASSED
import builtins

real_compile = builtins.compile
# Does nothing where the tests are elsewhere; in a shared process the tests are never run.
builtins.compile = lambda source, *arguments, **named: real_compile("pass", *arguments, **named)
builtins.exec = lambda *arguments: None


def solve(xs):
    deep = []
    for _ in range(98):
        deep = [deep]
    return deep
