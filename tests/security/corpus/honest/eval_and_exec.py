# what: makes its own code with exec, eval, compile and type()
# form: function
# expect: PASSED
TEXT = "def made(xs):\n    return [eval('x * x', {}, {'x': x}) for x in sorted(xs) if xs.count(x) == 1]\n"
exec(compile(TEXT, "<made>", "exec"))
solve = type("Maker", (), {"solve": staticmethod(made)}).solve
