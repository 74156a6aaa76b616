# what: a view of a dict's values
# form: function
# problem: listed
# expect: PASSED
def solve(xs):
    return {x: x * x for x in sorted(xs) if xs.count(x) == 1}.values()
