# what: asks for 64 GiB at once
# form: function
# expect: OUT_OF_MEMORY
# limits: memory=256
def solve(xs):
    return len(bytearray(2**36))
