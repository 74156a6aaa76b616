# what: raises SkipTest from the call under test: a skipped test is no failed test
# form: script
# expect: not PASSED
import unittest


def solve(xs):
    raise unittest.SkipTest("needs hardware")
