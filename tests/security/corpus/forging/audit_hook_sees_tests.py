# what: an audit hook, which can't be removed, sees the tests' source and code objects as they are compiled and run
# form: function
# expect: not PASSED
import sys
import types

answers = []


class Notes:
    def __eq__(self, other):
        answers.append(other)
        return True


def hook(event, arguments):
    if event == "exec" and isinstance(arguments[0], types.CodeType) and "check" in arguments[0].co_names:
        for const in arguments[0].co_consts:
            if isinstance(const, types.CodeType) and const.co_name == "check" and not answers:
                # A rehearsal: run the test's code with a candidate that notes what it is compared with.
                types.FunctionType(const, {"__builtins__": __builtins__})(lambda xs: Notes())


sys.addaudithook(hook)


def solve(xs):
    return answers.pop(0) if answers else None
