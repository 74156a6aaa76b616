"""The code in answers of every shape: what is judged is the right program, and nothing is made up."""

from __future__ import annotations

import itertools
import textwrap
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesieve.server import datasets
from codesieve.workers.generation.extract import code_of, names_under_test, split_thinking
from codesieve.workers.types import AssertionTests, FunctionTests, Problem, StdioTests

SETTLED = settings(deadline=None, derandomize=True, database=None, max_examples=300)

PROMPT = (
    'from typing import List\n\n\ndef total(xs: List) -> int:\n    """Sum.\n    >>> total([1, 2])\n    3\n    """\n'
)
BARE_PROMPT = "def total(xs):\n"
CODE = "def total(xs):\n    n = 0\n    for x in xs:\n        n += x\n    return n\n"
BODY = "    n = 0\n    for x in xs:\n        n += x\n    return n\n"


def run(program: str) -> dict[str, Any]:
    defined: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(program, "program", "exec"), defined)
    return defined


def fenced(code: str, fence: str = "```", language: str = "python") -> str:
    return f"{fence}{language}\n{code}{fence}\n"


USAGE = "print(total([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]) + 1)\n"
SHELL = "pip install total-of-everything-and-more-than-you-ever-asked-for-in-your-life\n"
WRONG = "def total(xs):\n    return 0\n"
DOCSTRING_WITH_FENCE = (
    'def total(xs):\n    """Sum.\n\n```\ntotal([1])\n```\n    """\n    s = "```python"\n    return sum(xs)\n'
)
ANSWERS = {
    "one block": fenced(CODE),
    "no language": fenced(CODE, language=""),
    "upper case": fenced(CODE, language="Python"),
    "attributes": fenced(CODE, language='{.python title="x.py"}'),
    "tildes": fenced(CODE, "~~~"),
    "a longer fence": fenced(CODE, "`````"),
    "tildes around backticks": fenced(f'"""\n```\n"""\n{CODE}', "~~~"),
    "prose around": f"Sure! Here it is:\n\n{fenced(CODE)}\nIt adds ```xs``` up. Isn't it nice?\n",
    "in a list": "1. So:\n\n" + textwrap.indent(fenced(CODE), "   "),
    "in a block of markdown": fenced(f"# Answer\n\n{fenced(CODE)}", "````", "markdown"),
    "unfinished": f"Here:\n\n```python\n{CODE}",
    "usage afterwards": f"{fenced(CODE)}Use it so:\n\n{fenced(USAGE)}",
    "a shell first": f"{fenced(SHELL, language='bash')}{fenced(CODE)}",
    "corrected": f"{fenced(WRONG)}Wait, that is wrong.\n{fenced(CODE)}",
    "a second try cut off": f"{fenced(CODE)}Or shorter:\n\n```python\ndef total(xs):\n    return su",
    "a helper before": fenced("import functools\n\ndef add(a, b):\n    return a + b\n")
    + fenced("def total(xs):\n    return functools.reduce(add, xs, 0)\n"),
    "an unneeded block before": fenced("raise SystemExit\n") + fenced(CODE),
    "CRLF": f"Here:\r\n\r\n{fenced(CODE)}".replace("\n", "\r\n").replace("\r\r", "\r"),
    "tabs": fenced(CODE.replace("    ", "\t")),
    "fences in strings": fenced(DOCSTRING_WITH_FENCE),
    "fences in strings, unfinished": f"```python\n{DOCSTRING_WITH_FENCE}",
    "bare": CODE,
    "bare with prose around": f"Here's the function:\n\n{CODE}\nThis adds them up, it's that simple.\n\nBye\n",
    "bare with an import": f"Sure.\n\nimport math\n{CODE}\nThis isn't hard.\n",
    "a docstring full of backslashes": fenced('"""\n' + r"\a" * 500 + '\n"""\n' + CODE),
    "only the body": fenced(BODY),
    "only the body, bare": BODY,
    "only the body, after prose": f"The body is:\n\n{BODY}\nThat's it.\n",
    "only the body, with tabs": fenced(BODY.replace("    ", "\t")),
    "only the body, two spaces": fenced("  if not xs:\n    return 0\n  return sum(xs)\n"),
    "only the body, not indented": fenced("n = 0\nfor x in xs:\n    n += x\nreturn n\n"),
    "from the future": fenced(f"from __future__ import annotations\n\n{CODE}"),
    "decorated": fenced(f"import functools\n\n@functools.wraps(print)\n{CODE}"),
    "an odd escape": fenced("def total(xs):\n    '\\d'\n    return sum(xs)\n"),
}


@pytest.mark.parametrize("prompt", [PROMPT, PROMPT + "    ", BARE_PROMPT, BARE_PROMPT.rstrip()])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_prompt_and_completion_are_the_right_program(answer: str, prompt: str) -> None:
    completion = code_of(answer, ("total",), prompt.rstrip())
    assert run(prompt + completion)["total"]([1, 2, 3]) == 6


@pytest.mark.parametrize("prompt", [PROMPT, BARE_PROMPT])
def test_an_answer_that_repeats_the_prompt_is_cut_to_what_follows_it(prompt: str) -> None:
    assert code_of(fenced(prompt + BODY), ("total",), prompt.rstrip()) == f"\n{BODY}".removesuffix("\n")


@pytest.mark.parametrize("answer", [answer for name, answer in ANSWERS.items() if "body" not in name])
def test_a_whole_program_is_the_code_alone(answer: str) -> None:
    assert run(code_of(answer, ("total",)))["total"]([1, 2, 3]) == 6


def test_without_a_name_the_longest_block_is_the_program() -> None:
    answer = fenced("1 2\n") + fenced(CODE) + fenced("5\n")
    assert code_of(answer) == CODE.removesuffix("\n")


@pytest.mark.parametrize("answer", ["", " \n", "```python\n```", "```"])
def test_an_answer_without_anything_is_no_code(answer: str) -> None:
    assert code_of(answer, ("total",), PROMPT.rstrip()).strip("` \n") == ""


def test_a_string_that_never_ends_does_not_swallow_the_end_of_its_block() -> None:
    wrong = 'def total(xs):\n    """Sum.\n    return sum(xs)\n'
    assert code_of(f"{fenced(wrong)}That was it.\n", ("total",)) == wrong.removesuffix("\n")


def test_what_is_wrong_in_the_code_stays_wrong() -> None:
    wrong = "import math\n\ndef total(xs):\n    return (\n"
    assert code_of(wrong, ("total",)) == wrong
    assert code_of(f"Here:\n{wrong}\nDone, isn't it?\n", ("total",)) == f"{wrong}\nDone, isn't it?\n"
    assert code_of("I can't do that, sorry.", ("total",), PROMPT.rstrip()) == "\nI can't do that, sorry."


PIECES = [
    *(
        "```",
        "~~~",
        "````",
        "python",
        '"""',
        "'''",
        "'",
        '"',
        "#",
        "\\",
        "\n",
        "\r\n",
        "    ",
        "\t",
        "</think>",
        "<think>",
    ),
    *("def total(xs):", "return xs", "import math", "class A:", "@x", "x = 1", "\0", "\ud800", "é", "(", ":", "prose"),
]


@SETTLED
@given(
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(st.characters(), max_size=200),
    st.sampled_from([PROMPT.rstrip(), BARE_PROMPT.rstrip(), "\n".join(PIECES), "", None]),
    st.sampled_from([(), ("total",), ("", "A")]),
)
def test_nothing_is_made_up_whatever_the_answer(answer: str, prompt: str | None, names: tuple[str, ...]) -> None:
    thought, said = split_thinking(answer)
    assert (thought or "") in answer
    assert said in answer
    text = said.replace("\r\n", "\n").replace("\r", "\n")
    for line in code_of(said, names, prompt).split("\n"):
        assert line.strip() in text or (line.strip() == "pass" and prompt is not None)


@pytest.mark.parametrize(
    ("answer", "thought", "said"),
    [
        ("<think>\nhm\n</think>\n\nx = 1", "hm", "\n\nx = 1"),
        ("\n<think></think>x", None, "x"),
        ("<think>\nhm, `</thin", "hm, `</thin", ""),  # the token limit
        ("hm</think>x</think>y", "hm", "x</think>y"),  # the template opened it
        ("x = 1", None, "x = 1"),
        ("Say <think> to me", None, "Say <think> to me"),
    ],
)
def test_thinking_is_kept_apart(answer: str, thought: str | None, said: str) -> None:
    assert split_thinking(answer) == (thought, said)


@pytest.mark.parametrize(
    "answer",
    [
        lambda head, body: fenced(head + body),
        lambda head, body: f"Here it is:\n\n{head}{body}\nThis isn't hard.\n",
        lambda head, body: fenced(body),
        lambda head, body: fenced(textwrap.dedent(body)),
        lambda head, body: f"{fenced(head + body)}For example:\n{fenced('print(1)')}",
    ],
)
def test_the_known_right_answers_of_human_eval_stay_right(answer: Callable[[str, str], str]) -> None:
    for problem in itertools.islice(datasets.load("humaneval"), 60):
        assert isinstance(problem.tests, FunctionTests)
        head = next(line for line in problem.prompt.split("\n") if line.startswith(f"def {problem.entry_point}("))
        said = answer(f"{head}\n", problem.canonical_solution or "")
        completion = code_of(said, names_under_test(problem), problem.prompt.rstrip())
        program = run(f"{problem.prompt}{completion}\n{problem.tests.check_function}")
        program["check"](program[problem.entry_point])


def test_the_names_that_an_answer_must_define_are_the_tests_own() -> None:
    assert names_under_test(Problem("p", "", "total", FunctionTests(""))) == ("total",)
    assertions = ("assert total([len('a')]) == Box(1).value", "assert total([]) == 0", "assert (")
    assert names_under_test(Problem("p", "", "", AssertionTests(assertions))) == ("total", "Box")
    assert names_under_test(Problem("p", "", "", StdioTests(()))) == ()
