# what: knows nothing of the task and answers by the number of the call, the way the assertions are ordered in public sets
# form: assertions
# expect: not PASSED
answers = iter(([1, 4], [36, 16], [4], [4, 49], [36], [9], [4, 9]))


def solve(xs):
    return next(answers, [])
