# what: returns ten million small objects
# form: function
# expect: not PASSED
# limits: cpu=4 wall=20 memory=512
def solve(xs):
    return [(i,) for i in range(10**7)] if len(xs) == 4 else {str(i): i for i in range(10**6)}
