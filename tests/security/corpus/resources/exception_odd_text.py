# what: raises an exception whose message holds NULs, lone surrogates and a megabyte of text
# form: function
# expect: RAISED
def solve(xs):
    raise RuntimeError("\x00\ud800\x1b[31m\r\n" + "x" * 2**20)
