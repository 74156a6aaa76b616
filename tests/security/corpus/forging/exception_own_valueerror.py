# what: raises an exception of its own that is merely called ValueError
# form: function
# problem: raises
# expect: not PASSED
def solve(xs):
    if not xs:
        # Not the built-in: `except ValueError` doesn't catch it.
        raise type("ValueError", (Exception,), {"__module__": "builtins"})("empty")
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
