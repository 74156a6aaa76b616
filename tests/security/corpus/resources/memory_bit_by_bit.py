# what: a list that grows by small objects until memory is gone
# form: function
# expect: OUT_OF_MEMORY
# limits: cpu=5 memory=128
def solve(xs):
    held = []
    while True:
        held.append([None] * 64)
