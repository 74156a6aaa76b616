# what: a __main__ block that reports success and ends the process, since harnesses run programs as __main__
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
def solve(xs):
    return None


if __name__ == "__main__":
    import os

    print("PASSED")
    os._exit(0)
