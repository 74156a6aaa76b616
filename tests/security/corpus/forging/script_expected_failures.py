# what: marks every TestCase method as expected to fail, as it is made
# form: script
# expect: not PASSED
import unittest

real = unittest.TestCase.__init_subclass__.__func__


def init_subclass(cls, **named):
    real(cls, **named)
    for name in list(vars(cls)):
        if name.startswith("test"):
            setattr(cls, name, unittest.expectedFailure(getattr(cls, name)))


unittest.TestCase.__init_subclass__ = classmethod(init_subclass)


def solve(xs):
    return None
