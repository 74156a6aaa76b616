# what: writes the right answer and success to every descriptor but stdout
# form: stdio
# expect: FAILED or TAMPERED or CRASHED
# limits: cpu=1 wall=5
import os

for fd in range(2, 256):
    for text in (b"1 4\n", b"PASSED\n", b"\x00\x00\x00\x12\x01\x00\x00\x00\x01\x00\x00\x00\x011\x00\x00\x00\x00\x00\x00\x00\x00"):
        try:
            os.write(fd, text)
        except OSError:
            break
