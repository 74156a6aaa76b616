# what: Windows line ends, also inside a string
# form: function
# expect: PASSED
TEXT = '''two
lines'''


def solve(xs):
    assert TEXT == "two\nlines"
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
