# what: raises GeneratorExit and KeyboardInterrupt, which no `except Exception` of a harness sees
# form: function
# problem: mapped
# expect: not PASSED
def solve(xs):
    raise (GeneratorExit if len(xs) % 2 else KeyboardInterrupt)(0)
