# what: a __main__ block that runs its own tests
# form: function
# expect: PASSED
import unittest


def solve(xs):
    return [x * x for x in sorted(xs) if xs.count(x) == 1]


class Test(unittest.TestCase):
    def test_solve(self):
        self.assertEqual(solve([2]), [4])


if __name__ == "__main__":
    import doctest

    print(doctest.testmod())
    unittest.main(argv=["x"], exit=False)
