# what: ends in a block that is never entered and a line continuation, to draw the tests into it
# form: function
# expect: SYNTAX_ERROR
def solve(xs):
    return None


check = lambda candidate: None
if 0: \
