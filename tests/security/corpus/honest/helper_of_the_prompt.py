# what: uses the prompt's helper, then replaces it by a faster one of its own
# form: function
# problem: root
# expect: PASSED
    low, high = -100.0, 100.0
    if poly(coefficients, low) > poly(coefficients, high):
        low, high = high, low
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if poly(coefficients, middle) < 0 else (low, middle)
    return low


def poly(coefficients, x):
    value = 0.0
    for c in reversed(coefficients):
        value = value * x + c
    return value
