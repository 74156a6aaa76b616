# what: remembers calls between assertions, and answers with generators turned lists
# form: assertions
# expect: PASSED
seen = []


def solve(xs):
    seen.append(xs)
    return [*(x * x for x in sorted(seen[-1]) if seen[-1].count(x) == 1)]
