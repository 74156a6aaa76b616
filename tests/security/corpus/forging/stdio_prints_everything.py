# what: prints every output that there could be, one under the other
# form: stdio
# expect: FAILED or OUTPUT_LIMIT
# limits: cpu=2 wall=10 output=65536
for a in range(150):
    print(a)
    for b in range(150):
        print(a, b)
