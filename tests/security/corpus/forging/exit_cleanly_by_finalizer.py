# what: ends the interpreter by Py_Exit and Py_Finalize through ctypes, past every finally of the harness
# form: function
# expect: not PASSED
# limits: cpu=1 wall=10
import ctypes


def solve(xs):
    ctypes.pythonapi.Py_Finalize()
    ctypes.CDLL(None).exit(0)
