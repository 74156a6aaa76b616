# what: failures and errors are noted as successes by the result object
# form: script
# expect: not PASSED
import unittest
import unittest.result

for kind in (unittest.TestResult, unittest.TextTestResult):
    kind.addFailure = kind.addError = lambda self, test, error: self.addSuccess(test)
    kind.addSubTest = lambda self, test, subtest, error: None
    kind.wasSuccessful = lambda self: True


def solve(xs):
    return None
