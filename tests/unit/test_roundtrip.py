"""Problems on their way from the SDK to the workers, and judgements on their way back: nothing is lost or changed."""

from __future__ import annotations

import dataclasses
import keyword
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from codesieve.client import convert, problems
from codesieve.client import types as seen
from codesieve.server.convert import answers, requests
from codesieve.v1 import judge_pb2, types_pb2
from codesieve.workers import types

SETTLED = settings(deadline=None, derandomize=True, database=None)
"""The same examples on every machine, nothing timed and nothing kept."""
SOURCE = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NOT_BLANK = SOURCE.filter(lambda source: bool(source.encode().strip()))
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(lambda name: not keyword.iskeyword(name))
ANY_TEXT = st.text(st.characters(), max_size=40)  # lone surrogates as well
SECONDS = st.integers(0, 10**9).map(lambda microseconds: microseconds / 1e6)
TIMES = {"wall_seconds": SECONDS}

FUNCTIONS = st.builds(problems.FunctionTests, NOT_BLANK)
ASSERTIONS = st.builds(problems.AssertionTests, st.lists(NOT_BLANK, min_size=1, max_size=4).map(tuple), SOURCE)
TOLERANCES = st.floats(0, allow_infinity=False)
COMPARISONS = st.sampled_from(problems.Comparison)


def stdio(texts: st.SearchStrategy[bytes], checkers: st.SearchStrategy[str]) -> st.SearchStrategy[problems.StdioTests]:
    cases = st.lists(st.builds(problems.StdioCase, texts, texts), min_size=1, max_size=4).map(tuple)
    return st.builds(problems.StdioTests, cases, COMPARISONS, TOLERANCES, checkers)


FORMS = st.one_of(
    ASSERTIONS,
    stdio(st.binary(max_size=40), st.just("")),
    stdio(SOURCE.map(str.encode), NOT_BLANK),
    st.builds(problems.ScriptTests, NOT_BLANK, st.sampled_from(problems.Framework), NAMES),
)
PROBLEMS = st.one_of(
    st.builds(problems.Problem, NAMES, SOURCE, FUNCTIONS, NAMES, st.none() | NOT_BLANK),
    st.builds(problems.Problem, NAMES, SOURCE, FORMS, st.just(""), st.none() | NOT_BLANK),
)
RESULTS = st.builds(
    types.TestResult,
    name=ANY_TEXT,
    verdict=st.none() | st.sampled_from(types.Verdict),
    detail=SOURCE,
    input=st.binary(max_size=40),
    output=st.binary(max_size=40),
    **TIMES,
)
JUDGEMENTS = st.builds(
    types.Judgement,
    work_id=st.just("w"),
    verdict=st.sampled_from(types.Verdict),
    integrity=st.sampled_from(types.Integrity),
    detail=SOURCE,
    **TIMES,
    cpu_seconds=SECONDS,
    peak_memory_bytes=st.integers(0, 2**62),
    stdout=st.binary(max_size=40),
    stderr=st.binary(max_size=40),
    cached=st.booleans(),
    tests=st.lists(RESULTS, max_size=4).map(tuple),
)


def of_workers(value: Any) -> Any:
    """The value of the same name on the workers' side."""
    if isinstance(value, tuple):
        return tuple(of_workers(each) for each in value)
    if isinstance(value, problems.Comparison | problems.Framework):
        return getattr(types, type(value).__name__)(value.value)
    if not dataclasses.is_dataclass(value):
        return value
    fields = {field.name: of_workers(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return getattr(types, type(value).__name__)(**fields)


@SETTLED
@given(st.lists(PROBLEMS, min_size=1, max_size=4, unique_by=lambda problem: problem.problem_id))
def test_the_workers_get_the_problems_that_the_client_gave(given_problems: list[problems.Problem]) -> None:
    sent = judge_pb2.JudgeRequest(setup=judge_pb2.JudgeSetup(problems=convert.problem_source(given_problems)))
    got = requests.judge_setup(judge_pb2.JudgeRequest.FromString(sent.SerializeToString()))
    assert list(got.problems.values()) == [of_workers(each) for each in given_problems]


@SETTLED
@given(JUDGEMENTS)
def test_the_client_gets_the_judgement_that_the_workers_gave(judged: types.Judgement) -> None:
    sent = answers.judgement(judged).SerializeToString()
    got = convert.judgement(types_pb2.Judgement.FromString(sent))
    for field in dataclasses.fields(types.Judgement):
        if field.name not in ("work_id", "tests"):
            assert getattr(got, field.name) == getattr(judged, field.name), field.name
    assert got.tests == tuple(
        seen.TestResult(one.name, seen.Verdict(one.verdict.value) if one.verdict else None, *_rest(one))
        for one in judged.tests
    )


def _rest(result: types.TestResult) -> tuple[Any, ...]:
    return tuple(getattr(result, field.name) for field in dataclasses.fields(result)[2:])


def test_both_sides_have_the_same_fields() -> None:
    for name in ("FunctionTests", "AssertionTests", "StdioCase", "StdioTests", "ScriptTests", "Problem"):
        mine, theirs = ({field.name for field in dataclasses.fields(getattr(m, name))} for m in (problems, types))
        assert mine == theirs, name
    for name in ("Verdict", "Integrity", "FinishReason", "PromptForm"):
        assert {each.value for each in getattr(seen, name)} == {each.value for each in getattr(types, name)}
