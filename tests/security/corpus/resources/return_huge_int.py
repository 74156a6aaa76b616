# what: returns an int of ten million digits, whose text takes minutes
# form: function
# expect: not PASSED
# limits: cpu=3 wall=20
def solve(xs):
    return 1 << 33_000_000
