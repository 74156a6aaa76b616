# what: ints of more digits than int() will print
# form: function
# problem: power
# expect: PASSED
def solve(base, exponent):
    answer = 1
    while exponent:
        if exponent & 1:
            answer *= base
        base *= base
        exponent >>= 1
    return answer
