# what: a value nested 50 levels deep
# form: function
# problem: nest
# expect: PASSED
def solve(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value
