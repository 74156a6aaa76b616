# what: a helper of its own called check, and a main called candidate
# form: function
# expect: PASSED
def check(x, xs):
    return xs.count(x) == 1


def candidate(xs):
    return [x * x for x in sorted(xs) if check(x, xs)]


METADATA = {}
solve = candidate
