# what: public names setUpModule and setUpClass that skip all tests
# form: script
# expect: not PASSED
import unittest


def setUpModule():
    raise unittest.SkipTest("not today")


def solve(xs):
    return None


__unittest_skip__ = True
__test__ = False
