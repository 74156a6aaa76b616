# what: finds the test classes by the garbage collector and takes their methods away from within the first test
# form: script
# expect: not PASSED
import gc
import sys
import unittest


def solve(xs):
    for kind in gc.get_objects():
        if isinstance(kind, type) and issubclass(kind, unittest.TestCase):
            for name in [name for name in vars(kind) if name.startswith("test")]:
                setattr(kind, name, lambda self: None)
    frame = sys._getframe(1)
    # The test that is under way ends here: everything after this line of it is skipped.
    outcome = None
    while frame is not None:
        outcome = outcome or frame.f_locals.get("outcome")
        frame = frame.f_back
    if outcome is not None:
        type(outcome).testPartExecutor = lambda self, *arguments, **named: __import__("contextlib").nullcontext()
    return type("E", (list,), {"__eq__": lambda self, other: True})()
