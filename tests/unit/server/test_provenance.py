"""How a job came about: who tells it, what is kept of a job that went on elsewhere, and the digest of its problems."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import sqlite3
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from tests.house import House, a_house, a_job, for_model, generate_right_for_even, generated, key
from tests.unit.test_roundtrip import PROBLEMS, SETTLED, of_workers

from codesieve.client import convert, problems
from codesieve.client.provenance import problems_digest as clients_digest
from codesieve.server import datasets
from codesieve.server.convert import answers, requests
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.jobs.model import Job, JobChanged, JobState
from codesieve.server.jobs.provenance import OLDER, Cells, Change, Engine, Provenance, flat, merged, problems_digest
from codesieve.server.jobs.sql import codec
from codesieve.server.jobs.store import Admission
from codesieve.server.jobs.stores import open_store
from codesieve.server.jobs.teller import MAX_SETTINGS, MAX_VALUE, Teller
from codesieve.server.models import ModelRegistry
from codesieve.server.pools import Pool
from codesieve.v1 import job_pb2, judge_pb2
from codesieve.workers.origin import CellOrigin, EngineOrigin, Setting
from codesieve.workers.sandbox import inside, version
from codesieve.workers.types import AssertionTests, Generated, GenerationRequest, Problem, WorkerInfo
from codesieve.workers.worker import TaskWorker

CELLS = CellOrigin("j1", "python:3.12", "sha256:1", "3.12.1", "", "fork")
FULL = Provenance(
    "1.0",
    "d",
    Engine("vllm", "vLLM 1", "/models/m", "0", "w1", (Setting("dtype", "bfloat16"), Setting("max_model_len", "2048"))),
    Cells("docker", "j1", "python:3.12", "sha256:1", "3.12.1", "runsc", "fork"),
    (Change("cells.judge_version", "j0"), Change("engine.settings.dtype", "")),
)


class Says(TaskWorker[GenerationRequest, Generated]):
    def __init__(self, origin: EngineOrigin) -> None:
        super().__init__(generate_right_for_even)
        self.origin = origin

    async def start(self) -> WorkerInfo:
        return WorkerInfo("replay", capacity=4, origin=self.origin)

    async def stop(self) -> None:
        await self.stop_tasks()


# Who tells


async def cells(*origins: CellOrigin) -> Provenance:
    infos = [WorkerInfo("docker", 1, origin=each) for each in origins]
    return await Teller(ModelRegistry(lambda *_: pytest.fail("no model is loaded")), lambda: infos).tell(None, "d")


async def test_workers_that_are_equal_are_told_once_and_others_all() -> None:
    assert (await cells(CELLS, CELLS)).cells == Cells("docker", *dataclasses.astuple(CELLS))
    both = (await cells(CELLS, dataclasses.replace(CELLS, judge_version="j2"))).cells
    assert (both.judge_version, both.image) == ("j1, j2", "python:3.12")
    assert (await cells()).cells == Cells(), "workers that tell nothing"
    assert (await cells(CELLS)).engine is None


async def test_engines_tell_their_settings_bounded_and_without_a_password() -> None:
    many = tuple(Setting(f"s{i}", "x" * 1000) for i in range(100))
    origins = [EngineOrigin("v1", (Setting("dtype", "a"), *many)), EngineOrigin("v2", (Setting("dtype", "b"),))]
    models = ModelRegistry(lambda name, source: Pool("generation", lambda: Says(origins.pop(0)), 2))
    model = await models.load("http://me:secret@host:1/v1#m")
    told = (await Teller(models, tuple).tell(model.model_id, "d")).engine
    await models.stop()
    assert told is not None
    assert (told.kind, told.version, told.source) == ("openai", "v1, v2", "http://host:1/v1#m")
    assert told.settings[0] == Setting("dtype", "a, b")
    assert len(told.settings) == MAX_SETTINGS
    assert max(len(each.value) for each in told.settings) == MAX_VALUE
    assert (await Teller(models, tuple).tell("gone", "d")).engine == Engine()


def test_the_judges_version_changes_with_its_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Path(inside.__path__[0])
    for source in here.glob("*.py"):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    before = version.judge_version()
    monkeypatch.setattr(inside, "__path__", [str(tmp_path)])
    assert version.judge_version() == before, "wherever they are"
    with (tmp_path / "plain.py").open("a") as changed:
        changed.write("# changed\n")
    assert version.judge_version() != before


# What is kept of a job that goes on


def test_what_an_earlier_run_had_is_kept_where_it_differs() -> None:
    now = dataclasses.replace(FULL, changes=())
    assert merged(now, now) == now
    other = dataclasses.replace(now, cells=dataclasses.replace(now.cells, judge_version="j2"))
    assert merged(now, other) == dataclasses.replace(other, changes=(Change("cells.judge_version", "j1"),))
    twice = merged(merged(now, other), now)
    assert twice.changes == (Change("cells.judge_version", "j1"), Change("cells.judge_version", "j2"))
    assert merged(twice, now) == twice
    assert merged(None, now).changes == (Change("codesieve_version", OLDER),)
    assert now.engine is not None
    fewer = dataclasses.replace(now, engine=dataclasses.replace(now.engine, settings=()))
    assert merged(fewer, now).changes[0] == Change("engine.settings.dtype", ""), "it had none"


def test_a_digest_of_the_weights_that_is_known_late_is_no_change() -> None:
    def has(digest: str, version: str = "0") -> Provenance:
        return Provenance("1.0", "d", Engine("vllm", "vLLM 1", "/models/m", version, digest))

    def changes(*runs: Provenance) -> list[tuple[str, str]]:
        kept = runs[0]
        for each in runs[1:]:
            kept = merged(kept, each)
        return [(change.field, change.earlier) for change in kept.changes]

    assert changes(has(""), has("w1")) == [], "it was not known yet"
    assert changes(has("w1"), has(""), has("w1")) == [], "nor was it for a while"
    assert changes(has("w1"), has("w2")) == [("engine.weights_digest", "w1")]
    assert changes(has("w1"), has(""), has("w2")) == [("engine.weights_digest", "w1")]
    assert changes(has("w1"), has("w2"), has("w1")) == [("engine.weights_digest", "w2")]
    moved = [("engine.weights_version", "0"), ("engine.weights_digest", "w1")]
    assert changes(has("w1"), has("", "5")) == moved, "a trainer's have none"


def test_every_field_is_compared() -> None:
    engine, where = {f.name for f in dataclasses.fields(Engine)}, {f.name for f in dataclasses.fields(Cells)}
    told = set(flat(FULL))
    assert {f"engine.{name}" for name in engine - {"settings"}} | {f"cells.{name}" for name in where} < told
    assert {"engine.settings.dtype", "codesieve_version", "problems_digest"} < told


async def told(house: House, job_id: str) -> list[tuple[JobState, Provenance | None]]:
    jobs = [event.happening.job for event in await house.events(job_id) if isinstance(event.happening, JobChanged)]
    return [(job.state, job.provenance) for job in jobs]


async def test_a_job_tells_from_its_begin_how_it_comes_about() -> None:
    async with a_house() as house:
        asked = for_model(house, generated())
        await house.create("j", asked)
        (_, before), (state, begun), (_, ended) = await told(house, "j")
    assert before is None
    assert state is JobState.RUNNING
    assert begun is not None
    assert begun == ended
    assert begun.problems_digest == problems_digest(asked[1].problems)
    assert begun.engine is not None
    assert (begun.engine.kind, begun.engine.source) == ("replay", "replay:x.jsonl")


async def test_a_job_that_goes_on_elsewhere_says_what_was_another_before() -> None:
    store, stand_still = MemoryStore(), asyncio.Event()

    async def the_first_front_end_gets_nowhere(request: GenerationRequest) -> Generated:
        if not stand_still.is_set():
            await asyncio.sleep(3600)
        return await generate_right_for_even(request)

    async with a_house(the_first_front_end_gets_nowhere, store=store) as house:
        await house.create("j", for_model(house, generated()))
        await house.runs("j")
    stand_still.set()
    before = (await store.get(key("j"))).provenance
    assert before is not None
    async with a_house(store=store) as house:
        # As another release would: the same store, other facts.
        house.jobs._teller = Teller(house.models, lambda: [WorkerInfo("docker", 1, origin=CELLS)])
        states = await told(house, "j")
    assert [state for state, _ in states] == ["PENDING", "RUNNING", "RUNNING", "SUCCEEDED"]
    (_, again), (_, ended) = states[2:]
    assert again == ended
    assert ended is not None
    assert ended.cells.judge_version == "j1"
    assert Change("cells.judge_version", "") in ended.changes
    assert Change("cells.backend", before.cells.backend) in ended.changes


# On the way


def test_it_crosses_the_wire_whole() -> None:
    job, _ = a_job("j")
    sent = answers.job(dataclasses.replace(job, provenance=FULL)).SerializeToString()
    got = convert.job(job_pb2.Job.FromString(sent)).provenance
    assert got is not None
    assert (got.codesieve_version, got.problems_digest) == ("1.0", "d")
    assert got.engine is not None
    assert got.cells is not None
    assert FULL.engine is not None
    assert dataclasses.asdict(got.cells) == dataclasses.asdict(FULL.cells)
    mine = dataclasses.asdict(FULL.engine) | {"settings": {each.name: each.value for each in FULL.engine.settings}}
    assert dataclasses.asdict(got.engine) == mine
    assert list(got.engine.settings) == ["dtype", "max_model_len"], "in the engine's order"
    assert got.changes == (("cells.judge_version", "j0"), ("engine.settings.dtype", ""))
    assert convert.job(answers.job(job)).provenance is None
    bare = dataclasses.replace(job, provenance=dataclasses.replace(FULL, engine=None))
    got = convert.job(answers.job(bare)).provenance
    assert got is not None
    assert got.engine is None
    odd = dataclasses.replace(job, provenance=Provenance(engine=Engine(source="/m\udcff")))
    answers.job(odd).SerializeToString()


def test_a_job_that_was_kept_before_there_was_any_is_read() -> None:
    job, _ = a_job("j")
    kept = msgspec.msgpack.decode(codec.encode(job)[1:])
    assert kept.pop("provenance") is None
    assert codec.decode(b"\x01" + msgspec.msgpack.encode(kept), Job) == job


def test_a_job_that_was_kept_before_there_was_a_digest_of_the_weights_is_read() -> None:
    job, _ = a_job("j")
    job = dataclasses.replace(job, provenance=FULL)
    kept = msgspec.msgpack.decode(codec.encode(job)[1:])
    assert kept["provenance"]["engine"].pop("weights_digest") == "w1"
    got = codec.decode(b"\x01" + msgspec.msgpack.encode(kept), Job).provenance
    assert FULL.engine is not None
    assert got == dataclasses.replace(FULL, engine=dataclasses.replace(FULL.engine, weights_digest=""))


async def test_a_database_of_before_is_opened_and_its_jobs_go_on(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    store = await open_store(str(path))
    job, contents = a_job("j")
    await store.create(job, contents, Admission())
    await store.close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        (snapshot,) = database.execute("SELECT snapshot FROM jobs").fetchone()
        kept = msgspec.msgpack.decode(snapshot[1:])
        del kept["provenance"]
        database.execute("UPDATE jobs SET snapshot = ?", (b"\x01" + msgspec.msgpack.encode(kept),))
        database.commit()
    store = await open_store(str(path))
    assert (await store.get(job.key)).provenance is None
    async with a_house(store=store) as house:
        states = await told(house, "j")
    await store.close()
    assert [state for state, _ in states] == ["PENDING", "RUNNING", "SUCCEEDED"]
    (_, begun), (_, ended) = states[1:]
    assert begun == ended
    assert begun is not None
    assert begun.problems_digest == problems_digest(contents.problems)


# The digest


@SETTLED
@given(PROBLEMS)
def test_client_and_server_agree_on_the_digest(problem: problems.Problem) -> None:
    sent = judge_pb2.JudgeRequest(setup=judge_pb2.JudgeSetup(problems=convert.problem_source([problem])))
    (got,) = requests.judge_setup(sent).problems.values()
    assert problems_digest([got]) == clients_digest([problem])
    assert got == of_workers(problem)


def test_humaneval_has_the_digest_of_its_file_which_stays() -> None:
    from codesieve.client.report.problems import _humaneval

    whole = problems_digest(datasets.load("humaneval"))
    assert whole == clients_digest(_humaneval().values())
    assert whole == "2816d613f7add717aa36676fcafe5777b8bba6b097093ee42fd124c281db1314"


def test_the_digest_tells_problems_apart_that_differ_only_in_where_their_parts_end() -> None:
    def digest(*assertions: str, setup: str = "") -> str:
        return problems_digest([Problem("p", "", "", AssertionTests(assertions, setup))])

    found = {digest("ab"), digest("a", "b"), digest("b", setup="a"), digest("a", "", "b"), digest()}
    assert len(found) == 5
    one, other = Problem("p", "", "", AssertionTests(("a",))), Problem("q", "", "", AssertionTests(("a",)))
    assert problems_digest([one, other]) != problems_digest([other, one])
    assert problems_digest([dataclasses.replace(one, canonical_solution="x")]) == problems_digest([one])
