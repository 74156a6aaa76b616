# what: an instance of a list subclass with methods of its own
# form: function
# problem: typed
# expect: PASSED
class Numbers(list):
    def squares(self):
        return Numbers(x * x for x in self)


def solve(xs):
    return Numbers(x for x in sorted(xs) if xs.count(x) == 1).squares()
