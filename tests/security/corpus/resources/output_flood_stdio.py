# what: a script that floods stdout instead of answering
# form: stdio
# expect: OUTPUT_LIMIT
# limits: cpu=3 output=100000
while True:
    print("y" * 1000)
