# what: raises the test's expected exception whatever it is asked
# form: function
# problem: raises
# expect: not PASSED
def solve(xs):
    raise ValueError("empty")
