"""What goes out to clients: verdicts, and that there is none."""

from __future__ import annotations

import dataclasses

from codesieve.server.convert import answers
from codesieve.v1 import types_pb2
from codesieve.workers.types import (
    Comparison,
    Framework,
    Integrity,
    Judgement,
    Limits,
    TestResult,
    Verdict,
    WorkFailed,
)


def test_an_outage_has_no_verdict_on_the_wire() -> None:
    judged = answers.judgement(Judgement("w", Verdict.PASSED, Integrity.SHARED, cpu_seconds=0.5))
    assert judged.verdict == types_pb2.Judgement.PASSED
    assert judged.cpu_time.nanos == 500_000_000
    outage = answers.judgement(WorkFailed("w", "CELL_LOST", "it died"))
    assert outage.WhichOneof("outcome") == "unjudged"
    assert outage.verdict == types_pb2.Judgement.VERDICT_UNSPECIFIED


def test_what_became_of_each_test_is_told_whatever_a_program_put_in_it() -> None:
    tests = (
        TestResult("assert f('\ud800')", Verdict.RAISED, "E: \ud800", b"\xff\x00", b"\xfe", 0.25),
        TestResult("case 2", None),
    )
    judged = answers.judgement(
        Judgement("w", Verdict.RAISED, Integrity.SPLIT, detail="E: \ud800 \u00e9", stdout=b"\xff", tests=tests)
    )
    assert judged.detail == "E: ? \u00e9"
    first, second = judged.tests
    assert (first.name, first.detail) == (b"assert f('\xed\xa0\x80')", "E: ?")
    assert (first.verdict, first.input, first.output) == (types_pb2.Judgement.RAISED, b"\xff\x00", b"\xfe")
    assert first.wall_time.nanos == 250_000_000
    assert not second.HasField("verdict")


def test_every_verdict_and_limit_has_its_word_on_the_wire() -> None:
    for enum, wire in ((Comparison, types_pb2.StdioTests.Comparison), (Framework, types_pb2.ScriptTests.Framework)):
        assert {each.value for each in enum} == set(wire.keys()[1:])
    for verdict in Verdict:
        assert types_pb2.Judgement.Verdict.Value(verdict.value) > 0
    assert {verdict.value for verdict in Verdict} | {"VERDICT_UNSPECIFIED"} == set(types_pb2.Judgement.Verdict.keys())
    assert len(dataclasses.fields(Limits)) == len(types_pb2.Limits.DESCRIPTOR.fields)
