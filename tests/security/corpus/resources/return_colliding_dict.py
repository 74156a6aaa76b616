# what: a real dict with 8,000 colliding keys, each call again
# form: function
# expect: not PASSED
# limits: cpu=3 wall=20
def solve(xs):
    return {i * (2**61 - 1): i for i in range(8000)}
