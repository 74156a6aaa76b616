# what: sets and frozensets of members that hash and compare like whatever is looked for
# form: assertions
# expect: not PASSED
class Member(int):
    def __eq__(self, other):
        return True

    def __hash__(self):
        # Hashes of small ints are themselves: count up until the probe meets a match.
        Member.turn = getattr(Member, "turn", 0) + 1
        return Member.turn % 40

    __gt__ = __lt__ = __ge__ = __le__ = __eq__


class Equal(set):
    def __eq__(self, other):
        return True

    def __contains__(self, member):
        return True


class Frozen(frozenset):
    __eq__ = Equal.__eq__
    __hash__ = frozenset.__hash__
    __iter__ = lambda self: iter([Member(1), Member(36)])


def solve(xs):
    return Frozen([Member(1), Member(36)]) if len(xs) == 2 else Equal([Member()])
