"""Function tests and assertion lists, with real cells: honest and dishonest programs. Both backends."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence

import pytest

from codesieve.workers.types import (
    AssertionTests,
    Framework,
    FunctionTests,
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


def program(
    tests: Tests, source: str, *, prompt: str = "", owner: str = "", work_id: str = "w", **limits: float
) -> Program:
    entry = "f" if isinstance(tests, FunctionTests) else ""
    changed = dataclasses.replace(LIMITS, **limits)  # type: ignore[arg-type]
    return Program(work_id, Problem("p", prompt, entry, tests), source.encode(), changed, owner)


def checks(*lines: str) -> FunctionTests:
    """Function tests with these lines as the body of check(f)."""
    return FunctionTests("def check(f):\n" + "".join(f"    {line}\n" for line in "\n".join(lines).splitlines()))


def verdicts(judgement: Judgement) -> list[Verdict | None]:
    return [test.verdict for test in judgement.tests]


# -- function tests --

HONEST = {
    "arguments changed in place": (
        "def f(a, b, *, c):\n  a[0].append(4); a.insert(0, 'x'); b['k']['n'] = 1; b['new'] = 2; del b['old']; c.add(3)\n"
        "  return len(a)",
        "inner, a, b, c = [3], [], {'k': {}, 'old': 0}, {1}\na.append(inner)\ndeep = b['k']\nassert f(a, b, c=c) == 2\n"
        "assert a == ['x', [3, 4]] and b == {'k': {'n': 1}, 'new': 2} and deep == {'n': 1} and c == {1, 3}",
    ),
    "a list sorted in place": (
        "def f(a): a.sort(key=len)",
        "a = [(1, 2), (1,), ()]\nf(a)\nassert a == [(), (1,), (1, 2)]",
    ),
    "bytes changed in place": (
        "def f(a, b): a[0] = 65; b.append(1)",
        "import collections\na, b = bytearray(b'x'), collections.deque()\nf(a, b)\nassert a == b'A' and list(b) == [1]",
    ),
    "exceptions by built-in class": (
        "class Own(KeyError): pass\n"
        "def f(x):\n  if x: raise Own('k', 1)\n  raise ValueError('bad')",
        "for x, kind in ((0, ValueError), (1, LookupError)):\n  try:\n    f(x)\n  except kind as error:\n"
        "    assert error.args == (('k', 1) if x else ('bad',)) and type(error).__name__ == ('Own' if x else 'ValueError')\n"
        "  else:\n    assert False",
    ),
    "exceptions whose class can't be rebuilt": (
        "def f(): raise UnicodeDecodeError('utf-8', b'x', 0, 1, 'why')",
        "try:\n  f()\nexcept UnicodeDecodeError as error:\n  assert error.args[0] == 'utf-8'\nelse:\n  assert False",
    ),
    "a generator": (
        "def f(n):\n  for i in range(n): yield i * i",
        "assert list(f(3)) == [0, 1, 4]\ng = f(2)\nassert next(g) == 0 and next(g) == 1 and next(g, None) is None",
    ),
    "a callable": ("def f(n): return lambda x: x + n", "assert f(2)(3) == 5 and list(map(f(1), [1, 2])) == [2, 3]"),
    "an object": (
        "class Box:\n  def __init__(self): self.items = []\n  def add(self, x): self.items.append(x); return self\n"
        "  def __len__(self): return len(self.items)\n  def __getitem__(self, at): return self.items[at]\n"
        "def f(): return Box()",
        "box = f()\nassert box.add(1).add([2]).items == [1, [2]] and len(box) == 2 and box[1] == [2] and bool(box)\n"
        "assert box.add(3) is box and [x for x in box] == [1, [2], 3]\nbox[:]\n"
        "box.label = 'x'\nassert box.label == 'x' and box != f()",
    ),
    "an object given back": (
        "def f(x=None): return x.n if x else type('N', (), {'n': 7})()",
        "assert f(f()) == 7 and f([f()][0]) == 7",
    ),
    "an async entry point": (
        "import asyncio\nasync def f(x):\n  await asyncio.sleep(0)\n  return [x]",
        "import asyncio\nassert asyncio.run(f(3)) == [3]",
    ),
    "containers of exact types": (
        "import collections, enum\nP = collections.namedtuple('P', 'x y')\nclass C(enum.IntEnum): RED = 1\n"
        "def f(x): return [(1, 'a'), {1, 2}, frozenset([1]), b'\\xff', collections.Counter('aab'),"
        " collections.deque([1], 3), P(1, 2), C.RED, collections.OrderedDict(a=1), collections.defaultdict(list, a=[1]),"
        " range(3), bytearray(b'x'), 1j, None, True][x]",
        "from collections import Counter, deque\n"
        "expected = [(1, 'a'), {1, 2}, frozenset([1]), b'\\xff', Counter('aab'), deque([1], 3), (1, 2), 1, {'a': 1},"
        " {'a': [1]}, range(3), bytearray(b'x'), 1j, None, True]\n"
        "for i, value in enumerate(expected):\n  assert f(i) == value, i\n"
        "assert f(5).maxlen == 3 and f(14) is True and isinstance(f(4), Counter)",
    ),
    "large and odd numbers": (
        "def f(x): return [x + 1, -x, float('nan'), float('inf'), -0.0, 2 ** 10000]",
        "import math\ngot = f(2 ** 63 - 1)\nassert got[:2] == [2 ** 63, 1 - 2 ** 63] and math.isnan(got[2])\n"
        "assert got[3:] == [math.inf, 0.0, 2 ** 10000] and math.copysign(1, got[4]) == -1",
    ),
    "text that isn't Unicode": ("def f(x): return x + '\\ud800'", "assert f('\\udfff\\0') == '\\udfff\\0\\ud800'"),
    "a value as deep as may be, given back": (
        "def f(x):\n  if x: return x\n  for _ in range(95): x = [x]\n  return x",
        "deep = f([])\nassert f([deep]) == [deep]",
    ),
    "output between calls": ("def f(x):\n  print(x)\n  return x", "assert f(1) == 1 and f(2) == 2"),
    "state between calls": ("n = 0\ndef f():\n  global n\n  n += 1\n  return n", "assert [f(), f(), f()] == [1, 2, 3]"),
    "a name of the program's": ("def g(x): return 2 * x\ndef f(x): return x", "assert g(f(2)) == 4"),
    "a module the tests don't import": ("def f(x): return x", "assert f(math.pi) == math.pi"),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
async def test_an_honest_program_passes_split(judged: Judged, name: str) -> None:
    source, test = HONEST[name]
    judgement = await judged(program(checks(test), source))
    assert (judgement.verdict, judgement.integrity) == (Verdict.PASSED, SPLIT), judgement


TOGETHER = {
    "a lambda argument": ("def f(g): return g(2)", "assert f(lambda x: x + 1) == 3"),
    "a lambda argument of a later call": ("def f(g): return g and g(2)", "f(0)\nassert f(lambda x: x + 1) == 3"),
    "an object of the tests'": (
        "def f(x): return x.n",
        "class N: pass\nn = N()\nn.n = 3\nassert f(n) == 3",
    ),
    "a class argument": ("def f(kind): return kind('7')", "assert f(int) == 7"),
    "an argument in itself": ("def f(x): return x[0] is x", "x = []\nx.append(x)\nassert f(x)"),
    "a base class of the program's": ("class A: n = 1\ndef f(): return 1", "class B(A): pass\nassert B.n == f()"),
    "isinstance of the program's": ("class A: pass\ndef f(): return A()", "assert isinstance(f(), (A, int))"),
    "an exception class of the program's": (
        "class Bad(Exception): pass\ndef f(): raise Bad",
        "try:\n  f()\nexcept Bad:\n  pass\nelse:\n  assert False",
    ),
    "a constant of the program's": ("LIMIT = 3\ndef f(): return 3", "assert f() == LIMIT"),
    "a class attribute": ("class A:\n  n = 3\ndef f(): return 3", "assert A.n == f()"),
}


@pytest.mark.parametrize("name", TOGETHER)
async def test_what_cannot_be_split_is_judged_together_and_says_so(judged: Judged, name: str) -> None:
    source, test = TOGETHER[name]
    judgement = await judged(program(checks(test), source))
    assert (judgement.verdict, judgement.integrity) == (Verdict.PASSED, SHARED), judgement
    wrong = await judged(program(checks(test, "assert False"), source))
    assert (wrong.verdict, wrong.integrity) == (Verdict.FAILED, SHARED), wrong


async def test_assertions_that_cannot_be_split_have_a_verdict_each(judged: Judged) -> None:
    tests = AssertionTests(("assert f(int) == 7", "assert f(str) == 7", "assert f(1)", "assert f(float) == 7.0"))
    judgement = await judged(program(tests, "def f(kind): return kind('7')"))
    assert (judgement.verdict, judgement.integrity) == (Verdict.FAILED, SHARED), judgement
    assert verdicts(judgement) == [Verdict.PASSED, Verdict.FAILED, Verdict.RAISED, Verdict.PASSED]
    assert judgement.detail == judgement.tests[1].name == "assert f(str) == 7"
    leaving = await judged(program(tests, "import sys\ndef f(kind): return sys.exit(0)"))
    assert (leaving.verdict, verdicts(leaving)) == (Verdict.CRASHED, [Verdict.CRASHED, None, None, None])


EQUAL_TO_ALL = """
class Equal({base}):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __sub__(self, other): return 0
    __rsub__ = __lt__ = __gt__ = __le__ = __ge__ = __contains__ = __eq__
    def __class__(self): return int
def f(*args): return Equal()
"""
NEVER_PASSED = {
    **{f"equal to all, a {base}": (EQUAL_TO_ALL.replace("{base}", base), "assert f(1) == 7")
       for base in ("object", "int", "str", "list", "dict", "tuple", "float", "set", "bytes", "complex")},
    "a difference of nought": (EQUAL_TO_ALL.replace("{base}", "object"), "assert abs(f(1) - 7) < 1e-6"),
    "the end of the tests, called": (
        "def f(x): raise StopIteration", "assert all(map(lambda x: f(x) == 7, [1, 2]))"),
    "the end of the tests, of a class of one's own": (
        "class E(StopIteration): pass\ndef f(x): raise E", "assert all(map(lambda x: f(x) == 7, [1, 2]))"),
    "an own exception in its place": (
        "def f(x): raise Exception", "try:\n  f(1)\nexcept ValueError:\n  pass"),
    "a value in itself": ("def f(x):\n  a = []\n  a.append(a)\n  return a", "assert f(1) == [1]"),
    "a value too deep": ("def f(x):\n  for _ in range(101): x = [x]\n  return x", "assert f(1) == 1"),
    "a value of 200 MB": ("def f(x): return bytes(200 * 2 ** 20)", "assert f(1) == 1"),
    "a value of many small ones": ("def f(x): return [()] * 3000000", "assert f(1) == 1"),
    "an argument grown": ("def f(x): x.extend(range(4 * 10**6))", "f([])\nassert False"),
    "leaving in a call that tests forgive": (
        "import os\ndef f(x): os._exit(0)", "try:\n  f(1)\nexcept BaseException:\n  pass"),
    "SystemExit in a call that tests forgive": (
        "def f(x): raise SystemExit", "try:\n  f(1)\nexcept BaseException:\n  pass"),
    "a downgrade by depth": (
        "def f(x):\n  for _ in range(99): x = [x]\n  return x", "x = f(0)\nassert f([[[x]]]) == 7"),
    "a downgrade by method": ("def f(x): return [] if x == 0 else 3", "s = f(0)\nassert f(s.append) == 7"),
}  # fmt: skip
EXPECTED = {
    "a value in itself": (Verdict.OUTPUT_LIMIT, "too large"),
    "a value too deep": (Verdict.OUTPUT_LIMIT, "too large"),
    "a value of 200 MB": (Verdict.OUTPUT_LIMIT, "too large"),
    "a value of many small ones": (Verdict.OUTPUT_LIMIT, "too large"),
    "an argument grown": (Verdict.OUTPUT_LIMIT, "too large"),
    "leaving in a call that tests forgive": (Verdict.CRASHED, "left early with status 0"),
    "SystemExit in a call that tests forgive": (Verdict.CRASHED, "left early"),
    "the end of the tests, called": (Verdict.RAISED, "the program raised StopIteration"),
}


@pytest.mark.parametrize("name", NEVER_PASSED)
async def test_a_dishonest_program_does_not_pass(judged: Judged, name: str) -> None:
    source, test = NEVER_PASSED[name]
    judgement = await judged(program(checks(test), source))
    assert judgement.verdict is not Verdict.PASSED, judgement
    assert judgement.integrity is SPLIT, judgement
    verdict, detail = EXPECTED.get(name, (judgement.verdict, ""))
    assert (judgement.verdict, detail in judgement.detail) == (verdict, True), judgement


@pytest.mark.xfail(
    strict=True, reason="changed arguments are matched by place: those that moved take each other's content"
)
async def test_arguments_that_moved_stay_themselves(judged: Judged) -> None:
    test = "a, b = [3], [1]\nboth = [a, b]\nf(both)\nassert both == [[1], [3]] and a == [3] and b == [1]"
    judgement = await judged(program(checks(test), "def f(x): x.sort()"))
    assert judgement.verdict is Verdict.PASSED, judgement


async def test_arguments_changed_before_an_exception(judged: Judged) -> None:
    test = "a = []\ntry:\n  f(a)\nexcept ValueError:\n  pass\nassert a == [1]"
    judgement = await judged(program(checks(test), "def f(x):\n  x.append(1)\n  raise ValueError"))
    assert judgement.verdict is Verdict.PASSED, judgement


async def test_helpers_of_the_prompt_are_the_judges_own(judged: Judged) -> None:
    prompt = "def double(x):\n    return 2 * x\n\ndef f(x):\n    '''Undoes double.'''\n"
    test = checks("assert double(f(8)) == 8")
    right = await judged(program(test, "    return x // 2\n", prompt=prompt))
    assert (right.verdict, right.integrity) == (Verdict.PASSED, SPLIT), right
    cheat = await judged(program(test, "    return x\ndef double(x):\n    return x\n", prompt=prompt))
    assert cheat.verdict is Verdict.FAILED, cheat


async def test_each_assertion_of_a_check_is_told_of(judged: Judged) -> None:
    test = checks("assert f(1, k=[2]) == 1", "x = f('y' * 5000)", "assert x == 3, 'three'", "assert f(2)")
    judgement = await judged(program(test, "def f(x, k=0): return x"))
    assert judgement.verdict is Verdict.FAILED
    assert "three" in judgement.detail
    assert verdicts(judgement) == [Verdict.PASSED, Verdict.FAILED, None]
    first, second, last = judgement.tests
    assert (first.name, first.input, first.output) == ("assert f(1, k=[2]) == 1", b"1, k=[2]", b"1")
    assert first.wall_seconds > 0
    assert second.detail == "AssertionError: three"
    assert 200 < len(second.input) <= 1000
    assert 200 < len(second.output) <= 1000
    assert last.input == last.output == b""


async def test_tests_that_change_global_state_leave_nothing(run_all: RunAll) -> None:
    changing = (
        "import random, sys, builtins, json, os",
        "random.seed(7)",
        "sys.path.append('/changed')",
        "builtins.changed = 1",
        "json.changed = 1",
        "open('/tmp/changed', 'w').close()",
        "if os.fork() == 0:\n  os.setsid()\n  while True: pass",
    )
    looking = (
        "import random, sys, builtins, json, os",
        "assert '/changed' not in sys.path and not hasattr(builtins, 'changed') and not hasattr(json, 'changed')",
        "assert not os.path.exists('/tmp/changed')",
        "assert len([p for p in os.listdir('/proc') if p.isdigit()]) <= 4  # the agent, two judges and the program",
        "assert f(random.random())",
    )
    reaching = "import typing\ntyping.sys.path.append('/changed')"
    unimported = "sys.path.append('/changed')"
    source = "def f(x): return True"
    found = await run_all(
        [program(checks(*lines), source, work_id=str(number), cpu_time_seconds=2)
         for number, lines in enumerate([changing, looking, (reaching,), looking, (unimported,), looking])]
    )  # fmt: skip
    assert [getattr(found[str(number)], "verdict", None) for number in range(6)] == [Verdict.PASSED] * 6, found


async def test_a_program_does_not_change_what_the_next_is_judged_by(judged: Judged) -> None:
    test = checks("assert sorted(f([2, 1])) == [1, 2]", "assert f.__name__ == 'f'")
    poison = (
        "import builtins, sys\nbuiltins.sorted = lambda x: [1, 2]\nsys.modules['collections'] = None\n"
        "class L(list):\n  def __iter__(self): return iter([1, 2])\ndef f(x): return L([5])"
    )
    cheat = await judged(program(test, poison))
    assert cheat.verdict is Verdict.FAILED, cheat
    again = await judged(program(test, "def f(x): return x"))
    assert again.verdict is Verdict.PASSED, again


async def test_two_owners_never_share_a_judge(run_all: RunAll) -> None:
    test = checks("import os", "raise ValueError(f'judge {os.getppid()} {f()}')")
    works = [program(test, "def f(): return 0", owner=owner, work_id=f"{number} {owner}")
             for number, owner in enumerate(["a", "a", "b", "b", "a"])]  # fmt: skip
    found = await run_all(works)
    details = {work_id: getattr(result, "detail", result) for work_id, result in found.items()}
    judges: dict[str, set[object]] = {"a": set(), "b": set()}
    for work_id, detail in details.items():
        judges[work_id[-1]].add(detail)
    assert not judges["a"] & judges["b"], details
    assert all("judge" in str(detail) for detail in details.values()), details


@pytest.mark.parametrize(
    "test",
    [
        "while True: pass",
        "try:\n  f(1)\nexcept BaseException:\n  while True: pass",
    ],
    ids=["with the program alive", "with the program gone"],
)
async def test_tests_that_never_end_are_ended(judged: Judged, test: str) -> None:
    piece = program(checks(test), "import os\ndef f(x): os._exit(0)", cpu_time_seconds=0.5, wall_time_seconds=5)
    judgement = await judged(piece)
    assert judgement.verdict is Verdict.TIMED_OUT or "left early" in judgement.detail, judgement
    assert (await judged(program(checks("assert f(1) == 1"), "def f(x): return x"))).verdict is Verdict.PASSED


async def test_tests_that_do_not_compile_are_no_verdict(run_all: RunAll) -> None:
    broken = {
        "function": program(FunctionTests("def check(f:\n"), "def f(): pass"),
        "assertions": program(AssertionTests(("assert f( == 1",)), "def f(): pass"),
        "script": program(ScriptTests("def (", Framework.UNITTEST), "def f(): pass"),
        "checker": program(StdioTests((StdioCase(b"", b""),), checker="def check("), "pass"),
        "no checker": program(StdioTests((StdioCase(b"", b""),), checker="x = 1"), "pass"),
    }
    found = await run_all([dataclasses.replace(piece, work_id=name) for name, piece in broken.items()])
    assert {name: getattr(result, "reason", result) for name, result in found.items()} == dict.fromkeys(
        broken, "TESTS_BROKEN"
    )


# -- assertion lists --


async def test_each_assertion_has_a_verdict_of_its_own(judged: Judged) -> None:
    assertions = (
        "assert f(1) == 1", "assert f(2) == 3, 'no'", "assert f(None) == 4", "assert\\\n  f(table[0]) == 5", "assert g(1)",
    )  # fmt: skip
    judgement = await judged(program(AssertionTests(assertions, "table = [5]"), "def f(x):\n  return x + 0"))
    assert (judgement.verdict, judgement.integrity) == (Verdict.FAILED, SPLIT), judgement
    assert verdicts(judgement) == [Verdict.PASSED, Verdict.FAILED, Verdict.RAISED, Verdict.PASSED, Verdict.RAISED]
    assert [test.name for test in judgement.tests][3] == "assert\\ f(table[0]) == 5"
    assert "TypeError" in judgement.tests[2].detail
    assert judgement.tests[4].detail == "NameError: name 'g' is not defined"
    assert (judgement.tests[3].input, judgement.tests[3].output) == (b"5", b"5")


@pytest.mark.parametrize(
    ("source", "tests", "verdict", "integrity"),
    [
        ("def sum(a, b): return a * b", AssertionTests(("assert sum(2, 3) == 6",)), Verdict.PASSED, SPLIT),
        ("def add(a, b): return a + b", AssertionTests(("assert sum(2, 3) == 6",)), Verdict.RAISED, SPLIT),
        (
            "def abs(x): return 0\ndef f(x): return 9",
            AssertionTests(("assert abs(f(1) - 1) < 1",)),
            Verdict.FAILED,
            SPLIT,
        ),
        (
            "class Node:\n  def __init__(self, x): self.x, self.next = x, None\n"
            "def f(n): return n.x + (f(n.next) if n.next else 0)",
            AssertionTests(("assert f(n) == 6",), "n = Node(1)\nn.next = Node(2)\nn.next.next = Node(3)"),
            Verdict.PASSED,
            SPLIT,
        ),
        ("def f(g): return g(1)", AssertionTests(("assert f(lambda x: x) == 1",)), Verdict.PASSED, SHARED),
        ("def f(x): return x", AssertionTests(("assert f(math.inf) > 0",), "import math"), Verdict.PASSED, SPLIT),
        ("import os\ndef f(x): os._exit(0)", AssertionTests(("assert f(1)", "assert True")), Verdict.CRASHED, SPLIT),
        ("def f(:", AssertionTests(("assert f(1)",)), Verdict.SYNTAX_ERROR, SPLIT),
    ],
)
async def test_assertion_lists(
    judged: Judged, source: str, tests: AssertionTests, verdict: Verdict, integrity: Integrity
) -> None:
    judgement = await judged(program(tests, source))
    assert (judgement.verdict, judgement.integrity) == (verdict, integrity), judgement
