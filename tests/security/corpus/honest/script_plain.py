# what: a plain module for a unittest file
# form: script
# expect: PASSED
def solve(xs):
    """Each number that is there once, squared."""
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
