# what: a __builtins__ of its own in the namespace where assertions are run
# form: assertions
# expect: not PASSED
# limits: cpu=1 wall=3
import builtins

builtins.isinstance = builtins.all = lambda *arguments: True
builtins.len = lambda thing: 2
globals()["__builtins__"] = {**vars(builtins), "set": lambda x: {1, 36}, "sorted": lambda *a, **k: [36, 16]}


def solve(xs):
    return type("E", (), {"__eq__": lambda self, other: True})()
