# what: prints progress to both streams, with success and failure words in it
# form: function
# expect: PASSED
import sys


def solve(xs):
    print("FAILED AssertionError Traceback (most recent call last):", xs)
    print("passed? " * 200, file=sys.stderr)
    sys.stdout.write("no newline at the end")
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
