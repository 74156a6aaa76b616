# what: catches BaseException around all that it does, with bare excepts and finally-returns
# form: function
# expect: PASSED
def solve(xs):
    try:
        return [x * x for x in sorted(xs) if xs.count(x) == 1 / (len(xs) and 1)]
    except:  # noqa
        try:
            raise SystemExit(1)
        except BaseException:
            return []
