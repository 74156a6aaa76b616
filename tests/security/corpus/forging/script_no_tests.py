# what: the loader finds no test, and an empty run is a successful run
# form: script
# expect: not PASSED
import unittest
import unittest.loader

unittest.loader.TestLoader.loadTestsFromModule = lambda self, *a, **k: unittest.TestSuite()
unittest.loader.TestLoader.getTestCaseNames = lambda self, case: []


def solve(xs):
    return None
