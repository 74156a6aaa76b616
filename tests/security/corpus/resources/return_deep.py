# what: returns a list nested 10,000 levels deep
# form: function
# expect: FAILED or RAISED or OUTPUT_LIMIT
def solve(xs):
    deep = []
    for _ in range(10000):
        deep = [deep]
    return deep
