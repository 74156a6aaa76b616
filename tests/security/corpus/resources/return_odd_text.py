# what: returns lone surrogates, NULs, escapes and every kind of line end
# form: function
# expect: FAILED
def solve(xs):
    return {"\ud800\x00": "\udfff\r\n\x1b]0;title\x07\u2028\x85", b"\xff\x00": "\U0010ffff" * 100}
