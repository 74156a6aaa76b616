# what: asks for input where there is none
# form: function
# expect: PASSED
import sys

try:
    xs = list(map(int, input("numbers? ").split()))
except EOFError:
    xs = None


def solve(xs):
    assert sys.stdin.read() == ""
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
