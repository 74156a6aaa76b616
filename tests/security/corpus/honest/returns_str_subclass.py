# what: a str subclass and an f-string of lone surrogates and NULs
# form: function
# problem: greet
# expect: PASSED
class Greeting(str):
    def __new__(cls, name):
        return super().__new__(cls, "Hello, %s!" % name)


def solve(name):
    return Greeting(name)
