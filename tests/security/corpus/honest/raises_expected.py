# what: raises the exception that the test expects, from another one
# form: function
# problem: raises
# expect: PASSED
def solve(xs):
    try:
        xs[0]
    except IndexError as error:
        raise ValueError("empty") from error
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
