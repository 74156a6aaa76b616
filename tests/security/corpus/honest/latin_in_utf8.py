# what: text beyond ASCII without a byte order mark, and a coding line that isn't true
# form: function
# expect: PASSED
# -*- coding: latin-1 -*-
NAME = "Zoë"


def solve(xs):
    assert len(NAME) == 3
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
