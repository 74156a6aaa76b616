# what: an object that isn't plain, whose repr never ends
# form: function
# expect: not PASSED
# limits: cpu=1 wall=10
class Endless:
    def __repr__(self):
        while True:
            pass

    __str__ = __len__ = __bool__ = __eq__ = __hash__ = __reduce__ = __iter__ = __repr__


def solve(xs):
    return Endless()
