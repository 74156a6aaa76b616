# what: asks another interpreter for the answer
# form: function
# expect: PASSED
# limits: cpu=10
import json
import subprocess

TEXT = "import json, sys; xs = json.load(sys.stdin); print([x * x for x in sorted(xs) if xs.count(x) == 1])"


def solve(xs):
    done = subprocess.run(["python3", "-c", TEXT], input=json.dumps(xs), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
