# what: a lazy map over a filter over an iterator
# form: function
# problem: listed
# expect: PASSED
def solve(xs):
    return map(pow, *zip(*((x, 2) for x in sorted(xs) if xs.count(x) == 1))) if len(set(xs)) * 2 > len(xs) else iter(())
