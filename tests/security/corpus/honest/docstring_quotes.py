# what: docstrings and strings full of quotes, backslashes and braces
# form: function
# expect: PASSED
def solve(xs):
    r"""It's "quoted" \"""twice\""" and {braced} % formatted \N{not a name} '''.

    >>> solve([2])
    [4]
    """
    "'''"
    return [x * x for x in sorted(xs) if xs.count(x) == 1]  # """
