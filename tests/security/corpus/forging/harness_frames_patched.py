# what: finds the harness's function up the stack and gives its module's constants other values
# form: function
# expect: not PASSED
import sys

frame = sys._getframe(1)
while frame is not None:
    scope = frame.f_globals
    for key in ("ASSERTION", "RAISED", "SYNTAX", "MEMORY", "LEFT"):
        if "PASSED" in scope and key in scope:
            scope[key] = scope["PASSED"]
    for key in ("classify", "describe"):
        if key in scope and "PASSED" in scope:
            scope[key] = lambda *arguments, **named: (1, "", "")
    for module in [value for value in scope.values() if hasattr(value, "PASSED")]:
        module.ASSERTION = module.RAISED = module.PASSED
    frame = frame.f_back


def solve(xs):
    assert False
