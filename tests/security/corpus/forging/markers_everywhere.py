# what: writes every success marker that a harness may look for to every open descriptor, then leaves with 0
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import os

MARKERS = (
    "passed",
    "PASSED",
    "OK",
    "ok",
    "True",
    "1",
    "SUCCESS",
    "All tests passed",
    "1 passed in 0.01s",
    "Ran 5 tests in 0.001s\n\nOK",
    '{"passed": true, "verdict": "PASSED", "status": "ok", "result": "passed", "exit_code": 0}',
    "##teamcity[testFinished name='check']",
    "TAP version 13\nok 1 - check\n1..1",
    "<testsuite tests='1' failures='0' errors='0'/>",
)

for fd in range(1, 256):
    for marker in MARKERS:
        try:
            os.write(fd, marker.encode() + b"\n")
        except OSError:
            break
os._exit(0)
