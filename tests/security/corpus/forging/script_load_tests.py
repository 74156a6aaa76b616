# what: a public name load_tests, which the test file takes over and unittest asks for its tests
# form: script
# expect: not PASSED
import unittest


def load_tests(loader, tests, pattern):
    return unittest.TestSuite()


def solve(xs):
    return None
