# what: raises at the end of a chain of a hundred thousand causes
# form: function
# expect: RAISED or CRASHED
# limits: cpu=3 wall=20 memory=512
def solve(xs):
    error = ValueError(0)
    for number in range(100_000):
        following = ValueError(number)
        following.__cause__ = following.__context__ = error
        error = following
    raise error
