# what: reads by os.read(0), writes by os.write(1), and leaves by os._exit
# form: stdio
# expect: PASSED
import os

data = b""
while True:
    more = os.read(0, 3)
    if not more:
        break
    data += more
xs = [int(word) for word in data.split()[1:]]
os.write(1, " ".join(str(x * x) for x in sorted(xs) if xs.count(x) == 1).encode() + b"\n")
os._exit(0)
