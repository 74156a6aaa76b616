# what: a module with a test class and a __main__ block of its own, for a unittest file
# form: script
# expect: PASSED
import unittest


def solve(xs):
    print("solving", xs)
    return [x * x for x in sorted(xs) if xs.count(x) == 1]


class OwnTest(unittest.TestCase):
    def test_own(self):
        self.assertEqual(solve([1]), [1])


if __name__ == "__main__":
    unittest.main()
