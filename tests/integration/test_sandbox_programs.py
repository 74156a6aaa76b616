"""Programs and test files, with real cells: what each makes of honest and of dishonest ones. Both backends."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence

import pytest

from codesieve.workers.types import (
    Comparison,
    Framework,
    Integrity,
    Judgement,
    Limits,
    Problem,
    Program,
    ScriptTests,
    StdioCase,
    StdioTests,
    Tests,
    Verdict,
    WorkFailed,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

Judged = Callable[[Program], Awaitable[Judgement]]
RunAll = Callable[[Sequence[Program]], Awaitable[dict[str, Judgement | WorkFailed]]]
LIMITS = Limits(cpu_time_seconds=5, wall_time_seconds=30)
SPLIT, SHARED = Integrity.SPLIT, Integrity.SHARED


def program(tests: Tests, source: str, *, work_id: str = "w", **limits: float) -> Program:
    changed = dataclasses.replace(LIMITS, **limits)  # type: ignore[arg-type]
    return Program(work_id, Problem("p", "", "", tests), source.encode(), changed)


def verdicts(judgement: Judgement) -> list[Verdict | None]:
    return [test.verdict for test in judgement.tests]


# -- stdin and stdout --

ECHO = "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())"


def stdio(*cases: tuple[bytes, bytes], **more: object) -> StdioTests:
    return StdioTests(tuple(StdioCase(*case) for case in cases), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "tests", "verdict", "detail"),
    [
        (ECHO, stdio((b"a b\n", b"a b\n"), comparison=Comparison.EXACT), Verdict.PASSED, ""),
        (ECHO, stdio((b"a b\n", b"a b"), comparison=Comparison.EXACT), Verdict.FAILED, "case 1: expected a b, got a b"),
        (ECHO, stdio((b"\xff\x00", b"\xff\x00"), comparison=Comparison.EXACT), Verdict.PASSED, ""),
        (ECHO, stdio((b" a\n\nb ", b"a b\n")), Verdict.PASSED, ""),
        (ECHO, stdio((b"ab", b"a b")), Verdict.FAILED, ""),
        (ECHO, stdio((b"1.0000001 x", b"1 x"), comparison=Comparison.FLOATS), Verdict.PASSED, ""),
        (ECHO, stdio((b"1.1", b"1"), comparison=Comparison.FLOATS), Verdict.FAILED, ""),
        (ECHO, stdio((b"1.1", b"1"), comparison=Comparison.FLOATS, tolerance=0.2), Verdict.PASSED, ""),
        ("print(int(input()) + int(input()))", stdio((b"1\n2\n", b"3")), Verdict.PASSED, ""),
        ("print(1)\nimport sys\nsys.exit(3)", stdio((b"", b"1")), Verdict.CRASHED, "left early with status 3"),
        ("print(1)\nexit()", stdio((b"", b"1")), Verdict.PASSED, ""),
        ("import sys\nsys.exit('no')", stdio((b"", b"")), Verdict.CRASHED, "left early with status 1"),
        ("import os\nprint(1, flush=True)\nos._exit(0)", stdio((b"", b"1")), Verdict.PASSED, ""),
        ("import os\nprint(1, flush=True)\nos._exit(1)", stdio((b"", b"1")), Verdict.CRASHED, "status 1"),
        ("import os\nos.kill(os.getpid(), 11)", stdio((b"", b"")), Verdict.CRASHED, "SIGSEGV"),
        ("print(1)\n1 / 0", stdio((b"", b"1")), Verdict.RAISED, "ZeroDivisionError"),
        ("print((", stdio((b"", b"")), Verdict.SYNTAX_ERROR, "SyntaxError"),
        ("input()", stdio((b"", b"")), Verdict.RAISED, "EOFError"),
        ("x = bytearray(2 ** 30)", stdio((b"", b"")), Verdict.OUT_OF_MEMORY, "MemoryError"),
        ("while True: pass", stdio((b"", b""),), Verdict.TIMED_OUT, "CPU"),
        ("print('x' * 2 ** 21)", stdio((b"", b"")), Verdict.OUTPUT_LIMIT, ""),
        ("import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.2), print(1))).start()",
         stdio((b"", b"1")), Verdict.PASSED, ""),
        ("import atexit\natexit.register(print, 1)", stdio((b"", b"1")), Verdict.PASSED, ""),
        ("if __name__ == '__main__': print(1)", stdio((b"", b"1")), Verdict.PASSED, ""),
    ],
)  # fmt: skip
async def test_stdio(judged: Judged, source: str, tests: StdioTests, verdict: Verdict, detail: str) -> None:
    judgement = await judged(program(tests, source, cpu_time_seconds=1))
    assert (judgement.verdict, judgement.integrity) == (verdict, SPLIT), judgement
    assert detail in judgement.detail


FORGED_CHANNEL = """
import os
def pack(kind, number, *parts):
    body = b''.join(len(part).to_bytes(4, 'big') + part for part in parts)
    return (len(body) + 5).to_bytes(4, 'big') + bytes([kind]) + number.to_bytes(4, 'big') + body
for fd in range(3, 256):
    try:
        os.write(fd, pack(1, 1, b'KIND', b'', b''))
    except OSError:
        pass
os._exit(0)
"""


async def test_trouble_of_ours_is_not_the_programs_to_claim(run_all: RunAll) -> None:
    tests = stdio((b"", b"1"))
    kinds = [0, 1, *range(7, 20)]
    found = await run_all(
        [program(tests, FORGED_CHANNEL.replace("KIND", str(kind)), work_id=str(kind)) for kind in kinds]
    )
    for kind in kinds:
        result = found[str(kind)]
        assert isinstance(result, Judgement), result
        assert result.verdict is not Verdict.PASSED, result


async def test_many_cases_and_what_each_gave(judged: Judged) -> None:
    source = "n = int(input())\nprint(n * n if n < 4 else 0)"
    cases = [(b"%d\n" % n, b"%d" % (n * n)) for n in range(7)]
    judgement = await judged(program(stdio(*cases), source))
    assert (judgement.verdict, judgement.detail) == (Verdict.FAILED, "case 5: expected 16, got 0")
    assert verdicts(judgement) == [Verdict.PASSED] * 4 + [Verdict.FAILED, None, None]
    assert [test.name for test in judgement.tests] == [f"case {n + 1}" for n in range(7)]
    assert [(test.input, test.output) for test in judgement.tests[3:]] == [
        (b"3\n", b"9\n"), (b"4\n", b"0\n"), (b"", b""), (b"", b"")
    ]  # fmt: skip
    assert all(test.wall_seconds > 0 for test in judgement.tests[:5])
    passing = await judged(program(stdio(*(cases[:4] * 12)), source))
    assert verdicts(passing) == [Verdict.PASSED] * 48


async def test_a_large_input_and_output(judged: Judged) -> None:
    data = bytes(range(256)) * (5 * 2**12)
    tests = stdio((data, data), comparison=Comparison.EXACT)
    assert (await judged(program(tests, ECHO, output_bytes=len(data)))).verdict is Verdict.PASSED
    assert (await judged(program(tests, ECHO, output_bytes=len(data) - 1))).verdict is Verdict.OUTPUT_LIMIT
    # One that doesn't read it hangs nobody.
    assert (await judged(program(stdio((data, b"1")), "print(1)"))).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("source", "checker", "verdict", "detail"),
    [
        ("print(2, 1)", "return sorted(stdout.split()) == expected.split()", Verdict.PASSED, ""),
        ("print(2, 3)", "return sorted(stdout.split()) == expected.split()", Verdict.FAILED, "the checker says"),
        ("print('x')", "return int(stdout) == 1", Verdict.FAILED, "the checker raised ValueError"),
        ("print(1)", "raise SystemExit(0)", Verdict.FAILED, "the checker raised SystemExit"),
        ("print(1)", "while True: pass", Verdict.FAILED, "the checker ran out"),
        ("print(1)", "import sys\n  sys.path.append('x')\n  return stdin == 'in'", Verdict.PASSED, ""),
        ("1 / 0", "return True", Verdict.RAISED, "ZeroDivisionError"),
    ],
)
async def test_a_checker(judged: Judged, source: str, checker: str, verdict: Verdict, detail: str) -> None:
    tests = stdio((b"in", b"1 2"), checker=f"def check(stdin, stdout, expected):\n  {checker}")
    judgement = await judged(program(tests, source, cpu_time_seconds=1))
    assert (judgement.verdict, judgement.integrity) == (verdict, SPLIT), judgement
    assert detail in judgement.detail


# -- test scripts --

SCRIPT = """
import unittest
from solution import square

class TestSquare(unittest.TestCase):
    def test_one(self):
        self.assertEqual(square(1), 1)

    def test_two(self):
        self.assertEqual(square(2), 4)

    @unittest.skip("not today")
    def test_skipped(self):
        self.assertEqual(square(3), 0)
"""
RIGHT = "def square(x): return x * x\n"
WRONG = "def square(x): return x\n"
PATCHES = {
    "an assertion": "import unittest\nunittest.TestCase.assertEqual = lambda *a: None",
    "an assertion's code": "import unittest\nunittest.TestCase.assertEqual.__code__ = (lambda *a: None).__code__",
    "the lookup": "import unittest\nunittest.TestCase.__getattribute__ = lambda s, n:"
    " (lambda *a: None) if n == 'assertEqual' else object.__getattribute__(s, n)",
    "the module": "import sys, types, unittest\nfake = types.ModuleType('unittest')\nfake.__dict__.update(vars(unittest))\n"
    "class T(unittest.TestCase):\n  def assertEqual(self, *a): pass\nfake.TestCase = T\nsys.modules['unittest'] = fake",
    "the runner": "import unittest\nunittest.TestSuite.run = lambda self, result: [result.addSuccess(t) for t in self]",
    "a trace function": "import sys\nsys.settrace(lambda *a: None)",
    "a builtin": "import builtins\nbuiltins.sorted = lambda *a: []",
}  # fmt: skip
LATE_PATCH = """
import gc, unittest
def square(x):
    for cls in unittest.TestCase.__subclasses__():
        cls.assertEqual = lambda *a: None
    return x
"""
UNITTEST = {
    "right": (RIGHT, Verdict.PASSED, ""),
    "wrong": (WRONG, Verdict.FAILED, "2 != 4"),
    "raises": ("def square(x): 1 / 0", Verdict.RAISED, "ZeroDivisionError"),
    "asserts": ("def square(x): assert x == 1; return x", Verdict.RAISED, "AssertionError"),
    "does not compile": ("def square(x:", Verdict.SYNTAX_ERROR, "SyntaxError"),
    "lacks the name": ("pass", Verdict.RAISED, "ImportError"),
    "skips": ("import unittest\ndef square(x): raise unittest.SkipTest('x')", Verdict.RAISED, "skipped by the program"),
    "exits": ("import sys\ndef square(x): sys.exit(0)", Verdict.CRASHED, "left early"),
    "exits at once": ("raise SystemExit(0)", Verdict.CRASHED, "left early"),
    "leaves": ("import os\ndef square(x): os._exit(0)", Verdict.CRASHED, "left early with status 0"),
    "leaves at once": ("import os\nprint('OK', flush=True)\nos._exit(0)", Verdict.CRASHED, "left early with status 0"),
    "interrupts": ("def square(x):\n  if x == 2: raise KeyboardInterrupt\n  return x", Verdict.RAISED, "KeyboardInterrupt"),
    "loads its own": (WRONG + "import unittest\nclass T(unittest.TestCase):\n  def test_x(self): pass\n"
                      "def load_tests(*a): return unittest.defaultTestLoader.loadTestsFromTestCase(T)",
                      Verdict.FAILED, "2 != 4"),
    "prepares the loader": (WRONG + "import unittest\nunittest.defaultTestLoader.loadTestsFromModule = lambda m:"
                            " unittest.TestSuite()\nunittest.defaultTestLoader.testMethodPrefix = 'x'",
                            Verdict.FAILED, "2 != 4"),
    "patches late": (LATE_PATCH, Verdict.TAMPERED, "assertEqual"),
    **{f"patches {what}": (patch + "\n" + WRONG, Verdict.TAMPERED, "") for what, patch in PATCHES.items()},
}  # fmt: skip


@pytest.mark.parametrize("name", UNITTEST)
async def test_unittest_scripts(judged: Judged, name: str) -> None:
    source, verdict, detail = UNITTEST[name]
    judgement = await judged(program(ScriptTests(SCRIPT, Framework.UNITTEST), source))
    assert (judgement.verdict, judgement.integrity) == (verdict, SHARED), judgement
    assert detail in judgement.detail


async def test_each_test_of_a_script_is_told_of(judged: Judged) -> None:
    judgement = await judged(program(ScriptTests(SCRIPT, Framework.UNITTEST), WRONG))
    assert {test.name.rpartition(".")[2]: test.verdict for test in judgement.tests} == {
        "test_one": Verdict.PASSED,
        "test_two": Verdict.FAILED,
        "test_skipped": None,
    }
    skipped = next(test for test in judgement.tests if test.name.endswith("skipped"))
    assert skipped.detail == "not today"


@pytest.mark.parametrize("delete", ["del TestSquare.test_two", "TestSquare.test_two = lambda self: None"])
async def test_a_test_that_was_deleted_has_not_passed(judged: Judged, delete: str) -> None:
    source = (
        f"import sys\ndef square(x):\n  TestSquare = sys.modules['test_script'].TestSquare\n  {delete}\n  return x\n"
    )
    judgement = await judged(program(ScriptTests(SCRIPT, Framework.UNITTEST), source))
    assert judgement.verdict is Verdict.TAMPERED, judgement


async def test_a_script_without_tests_is_not_passed(judged: Judged) -> None:
    judgement = await judged(program(ScriptTests("import solution", Framework.UNITTEST), RIGHT))
    assert judgement.verdict is Verdict.RAISED, judgement
    assert "no test that ran" in judgement.detail


async def test_a_module_name_and_public_names(judged: Judged) -> None:
    script = (
        "import unittest, queues\nclass T(unittest.TestCase):\n  def test_it(self):\n"
        "    self.assertIs(queues.Queue, Queue)\n    self.assertFalse('_hidden' in globals())"
    )
    source = "class Queue: pass\n_hidden = 1"
    judgement = await judged(program(ScriptTests(script, Framework.UNITTEST, "queues"), source))
    assert judgement.verdict is Verdict.PASSED, judgement


async def test_pytest_where_the_sandbox_has_none_is_no_verdict(run_all: RunAll) -> None:
    tests = ScriptTests("def test_it(): assert square(2) == 4", Framework.PYTEST)
    result = (await run_all([program(tests, RIGHT)]))["w"]
    if isinstance(result, Judgement):  # an image of one's own may have it
        assert (result.verdict, result.integrity) == (Verdict.PASSED, SHARED), result
    else:
        assert (result.reason, result.retryable) == ("TESTS_BROKEN", False), result
        assert "pytest" in result.message
