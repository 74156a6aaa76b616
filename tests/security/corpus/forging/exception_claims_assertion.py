# what: raises what looks like the harness's own signals: skipped, expected failure, timeout, test over
# form: function
# expect: not PASSED
import unittest


class Over(BaseException):
    pass


def solve(xs):
    for kind in (unittest.SkipTest, Over):
        kind.__module__ = "judge"
    raise unittest.SkipTest("nothing to test here") if xs else Over()
