# what: empties its argument, which the test doesn't look at again
# form: function
# expect: PASSED
def solve(xs):
    found = {}
    while xs:
        x = xs.pop()
        found[x] = found.get(x, 0) + 1
    xs.extend("anything at all")
    return [x * x for x in sorted(found) if found[x] == 1]
