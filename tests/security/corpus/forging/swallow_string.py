# what: ends in an open string that runs into the docstring of the test
# form: function
# expect: SYNTAX_ERROR
def solve(xs):
    return None


check = lambda candidate: None
unused = """
