# what: changes its argument in place, as the problem asks
# form: function
# problem: inplace
# expect: PASSED
def solve(xs):
    twice = {x for x in xs if xs.count(x) > 1}
    for x in twice:
        while x in xs:
            xs.remove(x)
    xs.sort()
    for place, x in enumerate(xs):
        xs[place] = x * x
