# what: identifiers, strings and comments beyond ASCII
# form: function
# expect: PASSED
def quadrat(ζ):
    # 平方 — “квадрат” 🧮
    return ζ * ζ


def solve(xs):
    größe = {x: quadrat(x) for x in sorted(xs)}
    return [größe[ｘ] for ｘ in größe if xs.count(ｘ) == 1]
