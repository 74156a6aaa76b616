"""The problems that the corpus's programs are about, by name. Pure data.

One problem for each form of test stands for most programs ("solve", "assertions", "stdio", "unittest"). The others are
there because a trick or an honest oddity needs them: a helper in the prompt, an exception that is expected, a result
that isn't a list. Every problem has a right solution, and none is solved by a program that does nothing.

Most are one task in different clothes: the squares of those numbers that occur exactly once, in the numbers' order.
"""

from __future__ import annotations

from codesieve.workers.types import (
    AssertionTests,
    Comparison,
    Framework,
    FunctionTests,
    Problem,
    ScriptTests,
    StdioCase,
    StdioTests,
)

RIGHT = "def solve(xs):\n    return [x * x for x in sorted(xs) if xs.count(x) == 1]\n"

CASES = """\
    cases = [
        ([3, 1, 2, 3], [1, 4]),
        ([5, -4, 5, 0, 7], [16, 0, 49]),
        ([], []),
        ([8, 8], []),
        ([12, 11, 12, -11], [121, 121]),
    ]
"""

SOLVE = f'''
def check(candidate):
    """Cases first, then two more, one of them the other way round."""
{CASES}
    for xs, want in cases:
        assert candidate(xs) == want
    assert candidate([9, 2, 9]) == [4]
    assert [1, 36] == candidate([6, 1])
'''

TYPED = f"""
METADATA = {{"author": "somebody", "dataset": "test"}}


def check(candidate):
{CASES}
    for xs, want in cases:
        got = candidate(xs)
        assert isinstance(got, list) and len(got) == len(want)
        assert all(isinstance(x, int) for x in got), got
        assert got == want, (got, want)
"""

RAISES = """
def check(candidate):
    assert candidate([3, 1, 2, 3]) == [1, 4]
    try:
        candidate([])
    except ValueError:
        pass
    else:
        raise AssertionError("an empty list must be refused")
    assert candidate([7]) == [49]
"""

MAPPED = f"""
def check(candidate):
{CASES}
    assert all(map(lambda case: candidate(case[0]) == case[1], cases))
"""

TWICE = """
def check(candidate):
    assert candidate(candidate([3, 1, 2, 3])) == [1, 16]
    assert candidate(candidate([])) == []
"""

LISTED = f"""
def check(candidate):
{CASES}
    for xs, want in cases:
        assert list(candidate(xs)) == want
"""

ROOT_PROMPT = '''def poly(coefficients, x):
    """The polynomial's value: coefficients[0] + coefficients[1] * x + ..."""
    return sum(c * x**i for i, c in enumerate(coefficients))


def solve(coefficients):
    """A root of the polynomial, which has an even number of coefficients."""
'''

ROOT = """
def check(candidate):
    for coefficients in ([-6.0, 2.0], [-8.0, 0.0, 0.0, 1.0], [5.0, 1.0, 0.0, 2.0]):
        assert abs(poly(coefficients, candidate(list(coefficients)))) < 1e-6
"""

ROOT_RIGHT = """\
    low, high = -1e3, 1e3
    rising = poly(coefficients, low) < poly(coefficients, high)
    for _ in range(200):
        middle = (low + high) / 2
        if (poly(coefficients, middle) < 0) == rising:
            low = middle
        else:
            high = middle
    return low
"""

MEAN_PROMPT = '''import math


def solve(xs):
    """The harmonic mean."""
'''

MEAN = """
def check(candidate):
    import math

    assert math.isclose(candidate([1.0, 2.0, 4.0]), 1.7142857142857142)
    assert math.isclose(candidate([3.0, 6.0]), 4.0)
    assert math.fabs(candidate([10.0, 15.0]) - 12.0) < 1e-9
"""

SHADOWED = """
def check(candidate):
    assert math.isclose(candidate([1.0, 2.0, 4.0]), 1.7142857142857142)
    assert abs(candidate([10.0, 15.0]) - 12.0) < 1e-9
"""

NEAR = """
def check(candidate):
    assert abs(candidate([1.0, 2.0, 4.0]) - 1.7142857142857142) < 1e-6
    assert abs(4.0 - candidate([3.0, 6.0])) < 1e-6
"""

INPLACE = """
def check(candidate):
    for xs, want in (([3, 1, 2, 3], [1, 4]), ([5, -4, 5, 0, 7], [16, 0, 49]), ([8, 8], [])):
        assert candidate(xs) is None
        assert xs == want, xs
"""

TALLY = """
def check(candidate):
    assert candidate("a b a c a".split()) == {"a": 3, "b": 1, "c": 1}
    assert candidate([]) == {}
    assert candidate(["x"])["x"] == 1
"""

PAIR = """
def check(candidate):
    assert candidate([3, 1, 2]) == (1, 3)
    low, high = candidate([-4, 0])
    assert (low, high) == (-4, 0)
"""

POWER = """
def check(candidate):
    assert candidate(3, 4) == 81
    assert candidate(7, 20000) == 7**20000
    assert candidate(-2, 30001) == -(2**30001)
"""

NEST = """
def check(candidate):
    for depth in (0, 1, 50):
        want = []
        for _ in range(depth):
            want = [want]
        assert candidate(depth) == want
"""

SIGN = """
def check(candidate):
    assert str(candidate(0.0)) == "-0.0"
    assert str(candidate(-0.0)) == "0.0"
    assert candidate(float("inf")) == float("-inf")
    assert candidate(2.5) == -2.5
    assert candidate(float("nan")) != candidate(float("nan"))
"""

GREET = """
def check(candidate):
    assert candidate("Zoë") == "Hello, Zoë!"
    assert candidate("") == "Hello, !"
    assert candidate("\\x00\\udc80") == "Hello, \\x00\\udc80!"
"""

ASSERTIONS = (
    "assert solve([3, 1, 2, 3]) == [1, 4]",
    "assert sorted(solve([5, 4, 5, 6]), reverse=True) == [36, 16]",
    "assert isinstance(solve([2]), list) and len(solve([2, 7])) == 2",
    "assert set(solve([6, 1])) == {1, 36}",
    "assert all(x > 3 for x in solve([-3, -2])) and solve([-3, -2]) == [9, 4]",
)

UNITTEST = """\
import unittest

from solution import solve


class SolveTest(unittest.TestCase):
    def test_what_occurs_twice_is_left_out(self):
        self.assertEqual(solve([3, 1, 2, 3]), [1, 4])

    def test_order_is_the_numbers(self):
        self.assertListEqual(solve([5, -4, 5, 0, 7]), [16, 0, 49])

    def test_nothing(self):
        self.assertTrue(solve([]) == [] and solve([8, 8]) == [])

    def test_plain_assert(self):
        assert solve([6, 1]) == [1, 36]


if __name__ == "__main__":
    unittest.main()
"""

PYTEST = """\
import pytest

from solution import solve


@pytest.mark.parametrize(
    ("xs", "want"), [([3, 1, 2, 3], [1, 4]), ([5, -4, 5, 0, 7], [16, 0, 49]), ([], []), ([8, 8], [])]
)
def test_solve(xs, want):
    assert solve(xs) == want


def test_two():
    assert solve([6, 1]) == [1, 36]
"""

STDIO_RIGHT = """\
count = int(input())
xs = [int(word) for word in input().split()] if count else []
print(*[x * x for x in sorted(xs) if xs.count(x) == 1])
"""

STDIO_CASES = (
    StdioCase(b"4\n3 1 2 3\n", b"1 4\n"),
    StdioCase(b"5\n5 -4 5 0 7\n", b"16 0 49\n"),
    StdioCase(b"2\n8 8\n", b"\n"),
    StdioCase(b"4\n12 11 12 -11\n", b"121 121\n"),
)

FLOAT_CASES = (
    StdioCase(b"3\n1 2 4\n", b"1.7142857\n"),
    StdioCase(b"2\n3 6\n", b"4.0\n"),
)

FLOATS_RIGHT = "n = int(input())\nxs = list(map(float, input().split()))\nprint(n / sum(1 / x for x in xs))\n"

CHECKER = """
def check(stdin, stdout, expected):
    # Any two numbers will do that add up to what was asked for, each between 1 and 9.
    a, b = map(int, stdout.split())
    return a + b == int(stdin) and 1 <= a <= 9 and 1 <= b <= 9
"""

CHECKED_CASES = (StdioCase(b"12\n", b""), StdioCase(b"2\n", b""), StdioCase(b"18\n", b""))


def _function(name: str, check: str, right: str, prompt: str = "") -> Problem:
    return Problem(name, prompt, "solve", FunctionTests(check), right)


PROBLEMS = {
    problem.problem_id: problem
    for problem in (
        _function("solve", SOLVE, RIGHT),
        _function("typed", TYPED, RIGHT),
        _function("raises", RAISES, "def solve(xs):\n    if not xs:\n        raise ValueError('empty')\n" + RIGHT[15:]),
        _function("mapped", MAPPED, RIGHT),
        _function("twice", TWICE, RIGHT),
        _function("listed", LISTED, RIGHT),
        _function("root", ROOT, ROOT_RIGHT, ROOT_PROMPT),
        _function("mean", MEAN, "    return len(xs) / sum(1 / x for x in xs)\n", MEAN_PROMPT),
        _function("shadowed", SHADOWED, "    return len(xs) / sum(1 / x for x in xs)\n", MEAN_PROMPT),
        _function("near", NEAR, "    return len(xs) / sum(1 / x for x in xs)\n", MEAN_PROMPT),
        _function("inplace", INPLACE, "def solve(xs):\n    xs[:] = [x * x for x in sorted(xs) if xs.count(x) == 1]\n"),
        _function("tally", TALLY, "def solve(words):\n    return {word: words.count(word) for word in words}\n"),
        _function("pair", PAIR, "def solve(xs):\n    return min(xs), max(xs)\n"),
        _function("power", POWER, "def solve(base, exponent):\n    return base**exponent\n"),
        _function("nest", NEST, "def solve(depth):\n    return [solve(depth - 1)] if depth else []\n"),
        _function("sign", SIGN, "def solve(x):\n    return -x\n"),
        _function("greet", GREET, "def solve(name):\n    return f'Hello, {name}!'\n"),
        Problem("assertions", "", "", AssertionTests(ASSERTIONS), RIGHT),
        Problem("stdio", "", "", StdioTests(STDIO_CASES), STDIO_RIGHT),
        Problem("stdio_exact", "", "", StdioTests(STDIO_CASES, Comparison.EXACT), STDIO_RIGHT),
        Problem("stdio_floats", "", "", StdioTests(FLOAT_CASES, Comparison.FLOATS, 1e-4), FLOATS_RIGHT),
        Problem(
            "stdio_checked",
            "",
            "",
            StdioTests(CHECKED_CASES, checker=CHECKER),
            "n = int(input())\na = min(9, n - 1)\nprint(a, n - a)\n",
        ),
        Problem("unittest", "", "", ScriptTests(UNITTEST, Framework.UNITTEST), RIGHT),
        Problem("pytest", "", "", ScriptTests(PYTEST, Framework.PYTEST), RIGHT),
    )
}
"""By `problem_id`."""

OF_FORM = {"function": "solve", "assertions": "assertions", "stdio": "stdio", "script": "unittest"}
"""Which problem a program is about whose header names none."""
