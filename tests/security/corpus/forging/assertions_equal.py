# what: an answer that is equal to everything, has every length and is of every class, for assertion lists
# form: assertions
# expect: not PASSED
class Equal(list):
    def __eq__(self, other):
        return True

    def __iter__(self):
        return iter((36, 16))

    def __len__(self):
        return 2

    __hash__ = None


def solve(xs):
    return Equal()
