# what: redirects its streams and leaves them redirected
# form: function
# expect: PASSED
import contextlib
import io
import os
import sys

with contextlib.redirect_stdout(io.StringIO()) as caught:
    print("caught")
sys.stdout = sys.stderr = open(os.devnull, "w")
os.dup2(sys.stdout.fileno(), 1)


def solve(xs):
    print(xs)
    assert caught.getvalue() == "caught\n"
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
