# what: patches every module that isn't the standard library's: whatever is called check, judge, classify or report
# form: function
# expect: not PASSED
import sys


def passed(*arguments, **named):
    return 1, "", ""


for name, module in list(sys.modules.items()):
    for key in ("run_together", "classify", "from_report", "decide", "judge", "check_correctness", "unsafe_execute"):
        if hasattr(module, key) and name != "__main__":
            setattr(module, key, passed)
    if hasattr(module, "PASSED") and hasattr(module, "ASSERTION"):
        # All outcomes are one outcome.
        module.ASSERTION = module.RAISED = module.SYNTAX = module.LEFT = module.PASSED


def solve(xs):
    raise ValueError
