# what: a mutable default argument as a memory of earlier calls
# form: function
# expect: PASSED
def solve(xs, memo={}):
    key = tuple(xs)
    if key not in memo:
        memo[key] = [x * x for x in sorted(xs) if xs.count(x) == 1]
    return memo[key]
