# what: a __build_class__ that leaves the test methods out of every class
# form: script
# expect: not PASSED
import builtins

real = builtins.__build_class__


def build(function, name, *bases, **named):
    made = real(function, name, *bases, **named)
    for key in list(vars(made)):
        if key.startswith("test"):
            setattr(made, key, lambda self: None)
    return made


builtins.__build_class__ = build


def solve(xs):
    return None
