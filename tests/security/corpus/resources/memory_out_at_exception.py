# what: a MemoryError whose handling needs more memory still
# form: function
# expect: OUT_OF_MEMORY or RAISED
# limits: cpu=5 memory=128
def solve(xs):
    held = []
    while True:
        try:
            while True:
                held.append(bytearray(2**12))
        except MemoryError as error:
            raise MemoryError([held, error, "x" * 2**20]) from error
