"""What is kept of a job's samples while it runs: places, counts, and no growth."""

from __future__ import annotations

import dataclasses
import tracemalloc

from tests.house import NOW, a_job, generated, recorded

from codesieve.server.jobs.model import JobContents, SampleGenerated, SampleJudged, planned_requests, sample_id
from codesieve.server.jobs.places import Places, places_of
from codesieve.server.jobs.record import Record
from codesieve.server.jobs.store import Happened
from codesieve.workers.types import Integrity, Judgement, Sample, Verdict, WorkFailed


def place(places: Places, name: str) -> int:
    return places.of(name)[1]


def test_every_planned_sample_has_a_place_of_its_own() -> None:
    spec, contents = generated(n=3)
    places = places_of(spec, contents)
    names = [sample_id(one.problem_id, one.temperature, one.index) for _, one in planned_requests("j", spec, contents)]
    assert [place(places, name) for name in names] == list(range(places.total)) == list(range(18))
    group, _ = places.of("p/1@0.8#2")
    assert (group.problem_id, group.temperature, group.size) == ("p/1", 0.8, 3)


def test_recorded_samples_may_come_in_any_order_and_with_gaps() -> None:
    """As those of a cancelled job do, which is judged again."""
    spec, contents = recorded([b"a", b"b", b"c", b"d"])
    assert contents.recorded is not None
    some = (contents.recorded[3], contents.recorded[1])
    odd = dataclasses.replace(contents.recorded[0], problem_id="p#1", sample_id=sample_id("p#1", None, 0))
    places = places_of(spec, JobContents(contents.problems, (*some, odd)))
    assert places.total == 5
    assert [place(places, one.sample_id) for one in (*some, odd)] == [3, 1, 4]


def a_sample(index: int) -> Sample:
    return Sample(sample_id("p/0", None, index), "p/0", None, index, b"x", 3, -1.5)


def test_a_record_knows_what_was_begun_and_counts_each_end() -> None:
    job, _ = a_job("j")
    spec, contents = recorded([b"x"] * 4)
    record = Record(places_of(spec, contents), 4)
    names = [a_sample(index).sample_id for index in range(4)]
    record.note(Happened(NOW, SampleGenerated(a_sample(0))))
    record.note(Happened(NOW, SampleGenerated(a_sample(1))))
    record.note(Happened(NOW, SampleJudged(names[1], Judgement("w", Verdict.PASSED, Integrity.SPLIT))))
    record.note(Happened(NOW, SampleJudged(names[2], WorkFailed("w", "GENERATION_FAILED", "gone"))))
    assert [record.begun(name) for name in names] == [True, True, True, False]
    progress = record.progress()
    assert (progress.samples_generated, progress.samples_judged, progress.samples_unjudged) == (2, 2, 1)
    assert record.last_trouble == "gone"
    (table,) = record.report(job, contents, "local").temperatures
    assert (table.samples, table.pass_at_k[0].value) == (1, 1.0)
    assert table.ranking is not None
    assert (table.ranking.mean_logprob, table.ranking.sum_logprob) == (1.0, 1.0)


def test_nothing_grows_as_samples_finish() -> None:
    samples = 20_000
    record = Record(Places({("p/0", None): samples}), samples)
    passed = Judgement("w", Verdict.PASSED, Integrity.SPLIT)

    def finish(first: int, end: int) -> None:
        for index in range(first, end):
            record.note(Happened(NOW, SampleGenerated(a_sample(index))))
            record.note(Happened(NOW, SampleJudged(sample_id("p/0", None, index), passed)))

    tracemalloc.start()
    try:
        finish(0, 1000)
        before, _ = tracemalloc.get_traced_memory()
        finish(1000, samples)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 2048  # one byte for each of them would be nine times that
