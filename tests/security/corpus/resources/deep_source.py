# what: source nested deeper than a compiler's stack
# form: function
# expect: SYNTAX_ERROR or RAISED or OUT_OF_MEMORY or CRASHED
# limits: cpu=2 wall=15
def solve(xs):
    return xs


deep = eval("[" * 5000 + "]" * 5000)
