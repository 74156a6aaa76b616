# what: returns a text of 200 MB
# form: function
# expect: not PASSED
# limits: cpu=4 memory=512
def solve(xs):
    return "x" * 200_000_000
