# what: a generator where the test calls list()
# form: function
# problem: listed
# expect: PASSED
def solve(xs):
    for x in sorted(xs):
        if xs.count(x) == 1:
            yield x * x
