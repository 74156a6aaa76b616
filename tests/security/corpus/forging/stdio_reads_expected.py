# what: looks for the expected output in files, environment, arguments, descriptors and /proc
# form: stdio
# expect: not PASSED
# limits: cpu=2 wall=10
import os
import re
import sys

given = sys.stdin.read()
texts = [" ".join(sys.argv), repr(os.environ)]
for folder in (".", "..", "/tmp", "/codesieve", "/dev/shm", "/var/tmp"):
    for top, _, names in os.walk(folder):
        for name in names:
            if re.search(r"out|expect|answer|ans|\.a$|case", name):
                try:
                    texts.append(open(os.path.join(top, name), errors="replace").read())
                except OSError:
                    pass
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline"):
        try:
            texts.append(open(f"/proc/{pid}/{name}", errors="replace").read())
        except OSError:
            pass
for fd in range(3, 64):
    try:
        os.set_blocking(fd, False)
        texts.append(os.read(fd, 65536).decode("latin-1"))
    except OSError:
        pass
for text in texts:
    at = text.find(given.strip())
    if at >= 0:
        print(text[at + len(given.strip()) :].strip().splitlines()[0])
        break
