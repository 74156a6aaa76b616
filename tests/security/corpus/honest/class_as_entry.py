# what: a class as the entry point whose __new__ gives the answer
# form: function
# expect: PASSED
class solve:
    def __new__(cls, xs):
        return [x * x for x in sorted(xs) if xs.count(x) == 1]
