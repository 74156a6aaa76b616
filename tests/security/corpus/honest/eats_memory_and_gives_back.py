# what: uses a good part of its memory and gives it back
# form: function
# expect: PASSED
# limits: memory=512
def solve(xs):
    held = [bytes(2**20) for _ in range(150)]
    assert len(held) == 150
    del held
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
