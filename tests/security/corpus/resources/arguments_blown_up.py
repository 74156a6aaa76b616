# what: changes its argument into something huge, which has to be copied back
# form: function
# problem: inplace
# expect: not PASSED
# limits: cpu=3 wall=20 memory=512
def solve(xs):
    while len(xs) < 2**23:
        xs += xs
    xs.append(xs)
