# what: an instance with __call__ as the entry point
# form: function
# expect: PASSED
class Solver:
    def __init__(self, power):
        self.power = power

    def __call__(self, xs):
        return [x**self.power for x in sorted(xs) if xs.count(x) == 1]


solve = Solver(2)
