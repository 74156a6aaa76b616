# what: an exception that says it is a ValueError to isinstance, by __class__ and by an overridden mro()
# form: function
# problem: raises
# expect: not PASSED
class Meta(type):
    @property
    def __mro__(cls):
        return (cls, ValueError, Exception, BaseException, object)

    def __subclasscheck__(cls, other):
        return True

    __bases__ = (ValueError,)


class Wrong(Exception, metaclass=Meta):
    __class__ = ValueError
    __name__ = __qualname__ = "ValueError"


def solve(xs):
    if not xs:
        raise Wrong("empty")
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
