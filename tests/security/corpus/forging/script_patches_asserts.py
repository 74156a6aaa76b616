# what: TestCase's assert methods do nothing any more, and answers are equal to everything
# form: script
# expect: not PASSED
import unittest

for name in dir(unittest.TestCase):
    if name.startswith("assert") or name == "fail":
        setattr(unittest.TestCase, name, lambda self, *arguments, **named: None)


class Equal(list):
    __eq__ = lambda self, other: True


def solve(xs):
    return Equal()
