"""What tests are made into before a cell sees them."""

from __future__ import annotations

import pytest

from codesieve.workers.sandbox import plans
from codesieve.workers.sandbox.inside import frames
from codesieve.workers.types import AssertionTests, FunctionTests, Problem, Tests

WARM = [
    "x = 1\nassert candidate(x) == [y for y in range(3)]",
    "import math\nfrom typing import List\nassert math.isclose(candidate(1), math.pi)",
    "from collections import Counter, deque\nassert Counter(candidate('aab')) == Counter('aab')",
    "METADATA = {'author': 'x'}\ndef check(candidate):\n  assert candidate(1), 'why'",
    "assert math.floor(candidate(1)) == 1",
    "try:\n  candidate(1)\nexcept ValueError as error:\n  assert 'x' in str(error)",
    "a = {}\na['k'] = [1]\na['k'].append(2)\ndel a['k']",
]
LEAVES_A_TRACE = [
    "import sys\nsys.path.append('x')",
    "sys.path.append('x')",
    "random.seed(1)",
    "import random",
    "from os import path",
    "import typing\ntyping.sys.path.append('x')",
    "from typing import sys",
    "import copy\ncopy.weakref.x",
    "import copy\ncopy.dispatch_table[int] = 1",
    "import collections\ncollections.abc.Sequence.register(int)",
    "from collections import abc\nabc.Sequence.register(int)",
    "import collections\ncollections._sys.path",
    "from collections import _sys",
    "import json\njson.dumps = 1",
    "import math as m\nm.pi = 3",
    "candidate.calls = 1",
    "().__class__.__base__",
    "(x for x in []).gi_frame.f_builtins['len'] = 1",
    "try:\n  1 / 0\nexcept Exception as e:\n  e.with_traceback(None).tb_frame",
    "match candidate:\n  case object(__globals__=g):\n    g['x'] = 1",
    "getattr(candidate, 'x')",
    "eval('1')",
    "__import__('sys')",
    "__builtins__['x'] = 1",
    "open('x', 'w')",
    "global x\nx = 1",
    "class A: pass",
    "import typing\ntyping.get_type_hints(candidate)",
    "import os.path",
    "from . import x",
]


def fields(tests: Tests, prompt: str = "") -> tuple[object, ...]:
    plan = plans.prepare(Problem("p", prompt, "f" if isinstance(tests, FunctionTests) else "", tests))
    assert plan.mode == frames.SPLIT
    return frames.decode(plan.payload[4:])


@pytest.mark.parametrize("source", WARM)
def test_what_leaves_no_trace_runs_in_the_warm_judge(source: str) -> None:
    facts = plans.facts_of(source)
    assert facts is not None
    assert facts.leaves_no_trace


@pytest.mark.parametrize("source", LEAVES_A_TRACE)
def test_what_may_leave_a_trace_runs_in_a_fork(source: str) -> None:
    facts = plans.facts_of(source)
    assert facts is not None
    assert not facts.leaves_no_trace


def test_a_prompt_that_may_leave_a_trace_has_the_tests_run_in_a_fork() -> None:
    tests = FunctionTests("def check(f): assert f(1)")
    assert fields(tests, "def f(x):\n")[0] == 1
    assert fields(tests, "import random\ndef f(x):\n")[0] == 0
    assert fields(FunctionTests("def check(f: assert"), "def f(x):\n")[0] == 0


def test_each_assertion_of_a_check_stands_between_its_marks() -> None:
    tests = FunctionTests(
        "def check(f):\n    assert f(1) == (\n      'ü')\n    for x in [1]: assert f(x), 'why'; assert x\n"
    )
    plan = plans.prepare(Problem("p", "", "f", tests))
    assert plan.names == ("assert f(1) == ( 'ü')", "assert f(x), 'why'", "assert x")
    source = str(frames.decode(plan.payload[4:])[6], "utf-8")
    marks = [line.strip() for line in source.splitlines() if "__codesieve" in line]
    assert marks == [f"__codesieve_{what}__({number})" for number in range(3) for what in ("begin", "done")]


@pytest.mark.parametrize(
    ("prompt", "helpers"),
    [
        ("def g(x):\n    return x\n\ndef f(x):\n    '''Doc.'''\n", {"g", "f"}),
        ("def f(x):\n    for y in x:\n", {"f"}),
        ("def f(x):\n    return (\n", set()),
        ("Write a function.", set()),
        ("", set()),
    ],
)
def test_helpers_are_what_the_prompt_defines(prompt: str, helpers: set[str]) -> None:
    namespace: dict[str, object] = {}
    exec(plans.helpers_of(prompt), namespace)
    assert set(namespace) - {"__builtins__"} == helpers


def test_names_under_test_are_what_the_tests_use_and_do_not_define() -> None:
    test = (
        "def check(f):\n  a = helper(1)\n  def inner(b): return b + other(a)\n  assert f(inner(2)) == math.pi\n  len(a)"
    )
    prompt = "def helper(x):\n  return x\n\ndef f(x):\n"
    _, _, names, modules, entry, count, _ = fields(FunctionTests(test), prompt)
    assert (names, modules, entry, count) == ("f other", "math", "f", 1)


@pytest.mark.parametrize(
    ("setup", "assertions", "names"),
    [
        ("", ("assert f(1) == 1", "assert g(x := 2) == len([x])"), "f g"),
        ("def g(x): return x", ("assert f(g(1))",), "f"),
        ("n = Node(1)", ("assert f(n)",), "Node f"),
        ("", ("assert sum(1, 2) == 3", "assert sum(len([1]), 2) == 3"), "sum"),
        ("", ("assert sum(len([1]), 2) == 3",), ""),
        ("", ("assert abs(f(1)) < 1",), "f"),
        ("", ("assert not Python",), "Python"),
        ("", ("this is no Python", "assert f(1)"), "f"),
    ],
)
def test_names_of_assertions(setup: str, assertions: tuple[str, ...], names: str) -> None:
    assert fields(AssertionTests(assertions, setup))[2] == names


@pytest.mark.parametrize(
    "line",
    ["isinstance(f(), A)", "isinstance(f(), (int, A))", "A.n", "A + 1", "f() == A", "f() is not A"],
)
def test_a_name_that_may_be_no_function_has_the_tests_run_together(line: str) -> None:
    for tests in (FunctionTests(f"def check(f): assert {line}"), AssertionTests((f"assert {line}",))):
        assert plans.prepare(Problem("p", "", "f", tests)).mode == frames.TOGETHER
