"""A model's weights over its workers: what all have, what a worker that is started again has, and who is refused."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.house import MINE, FunctionWorker, House, for_model, generate_right_for_even, generated, judge_by_text

from codesieve.server.errors import NotFound, PreconditionFailed, WorkersStarting, WorkerTrouble
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.jobs.model import JobChanged, SampleGenerated, SampleJudged
from codesieve.server.jobs.provenance import Change, Provenance
from codesieve.server.jobs.teller import Teller
from codesieve.server.models import ModelRegistry
from codesieve.server.pools import Pool
from codesieve.server.weights import Weights
from codesieve.workers.errors import (
    AdapterNotLoaded,
    EngineError,
    EngineRequestRefused,
    WeightsVersionChanged,
    WorkerLost,
)
from codesieve.workers.types import Generated, GenerationRequest, PauseMode, WeightsState, WorkFailed


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happened():  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.01)


class Worker(FunctionWorker):
    """Keeps what it is told of its weights as a real one does, and samples its version. `fails` is raised over calls."""

    def __init__(self) -> None:
        super().__init__(self._make)
        self.version = "0"
        self.whole = True
        self.digests: dict[str, str] = {}
        """By the version: those that are known by now."""
        self.calls: list[tuple[str, dict[str, object]]] = []
        self.fails: dict[str, Exception] = {}
        self.slow = asyncio.Event()
        self.slow.set()
        self.lost = asyncio.Event()
        self.samples = asyncio.Event()
        self.samples.set()

    async def collect(self, max_wait_seconds: float) -> Any:
        if self.lost.is_set():
            raise WorkerLost("it was killed")
        return await super().collect(0.02)

    async def weights(self, call: str, options: dict[str, object]) -> WeightsState:
        self.calls.append((call, options))
        await self.slow.wait()
        if call in self.fails:
            raise self.fails[call]
        if call in ("load_weights", "finish_weight_update"):
            self.version, self.whole = str(options["version"]), True
        if call == "start_weight_update" or (call, options.get("level")) == ("sleep", 2):
            self.whole = False
        return WeightsState(self.version, self.whole)

    async def weights_digest(self, version: str) -> str:
        await self.slow.wait()
        if self.lost.is_set():
            raise WorkerLost("it was killed")
        return self.digests.get(version, "") if version == self.version else ""

    async def _make(self, request: GenerationRequest) -> Generated:
        await self.samples.wait()
        if request.weights_version not in ("", self.version):
            raise WeightsVersionChanged(f"the weights are {self.version} now")
        return Generated(request.work_id, b"right", weights_version=self.version, adapter=request.adapter or None)


class Model:
    """A model that the registry takes for one of vLLM's, and the workers that its pool made so far."""

    def __init__(self, directory: Path, size: int) -> None:
        self.made: list[Worker] = []
        self.source = str(directory / "m")
        self.registry = ModelRegistry(lambda name, source: Pool("generation", self._worker, size))

    def _worker(self) -> Worker:
        self.made.append(Worker())
        return self.made[-1]

    def parts(self) -> tuple[Weights, Any]:
        return self.registry.weights("m")

    @property
    def version(self) -> str:
        return self.registry.get("m").weights_version

    @property
    def state(self) -> str:
        return self.registry.get("m").state.value

    async def serves(self, count: int) -> None:
        """Waits until so many workers run."""
        await until(lambda: len(self.parts()[1].workers) == count)

    async def loses(self, worker: Worker) -> Worker:
        """Has a worker lost; the one in its place, once it serves."""
        _, pool = self.parts()
        before = len(self.made)
        worker.lost.set()
        await until(lambda: len(self.made) > before and len(pool.workers) == pool.size)
        return self.made[-1]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codesieve.server.members.FIRST_PAUSE_SECONDS", 0.01)


@pytest.fixture
async def loaded(tmp_path: Path) -> AsyncIterator[Callable[[int], Any]]:
    models: list[Model] = []

    async def load(size: int = 1) -> Model:
        models.append(Model(tmp_path, size))
        await models[-1].registry.load(models[-1].source)
        await models[-1].serves(size)
        return models[-1]

    yield load
    for model in models:
        await model.registry.stop()


async def test_the_first_weights_are_0_and_new_ones_are_counted_or_named(loaded: Any) -> None:
    model = await loaded(2)
    weights, pool = model.parts()
    assert (model.version, model.state) == ("0", "READY")
    await weights.load(pool, "/w/1", "")
    assert model.version == "1"
    await weights.load(pool, "/w/3", "3")
    await weights.transfer(pool, "start_weight_update", {})
    assert (model.version, model.state) == ("3", "PAUSED")
    await weights.finish_update(pool, {}, "")
    assert (model.version, model.state) == ("4", "READY"), "a number that was used is never counted again"
    assert {worker.version for worker in model.made} == {"4"}
    await weights.load(pool, "/w/s", "step-7")
    assert model.version == "step-7"


async def test_a_worker_that_is_started_again_has_what_can_be_loaded_before_it_takes_work(loaded: Any) -> None:
    model = await loaded(1)
    weights, pool = model.parts()
    await weights.load(pool, "/w/5", "five")
    await weights.load_adapter(pool, "a", "/a")
    await weights.load_adapter(pool, "b", "/b")
    await weights.unload_adapter(pool, "b")
    await weights.pause(pool, PauseMode.ABORT)
    await weights.sleep(pool, 1)
    await weights.wake_up(pool, ["weights"])
    new = await model.loses(model.made[0])
    assert new.calls == [
        ("state", {}),
        ("load_weights", {"directory": "/w/5", "version": "five"}),
        ("load_adapter", {"adapter": "a", "directory": "/a"}),
        ("pause", {"mode": PauseMode.KEEP}),
        ("sleep", {"level": 1}),
        ("wake_up", {"tags": ["weights"]}),
    ]
    assert (model.version, model.state) == ("five", "ASLEEP")
    await weights.wake_up(pool, ["kv_cache"])
    assert model.state == "PAUSED"
    await weights.resume(pool)
    newer = await model.loses(new)
    assert [call for call, _ in newer.calls] == ["state", "load_weights", "load_adapter"]
    assert model.registry.get("m").adapters == (("a", "/a"),)


async def test_weights_that_were_transferred_are_gone_with_their_worker_and_so_is_their_name(loaded: Any) -> None:
    model = await loaded(2)
    weights, pool = model.parts()
    await weights.finish_update(pool, {}, "step-1")
    await model.loses(model.made[0])
    assert model.version == "0, step-1"
    with pytest.raises(PreconditionFailed, match="has the weights 0, step-1 now, not step-1") as refused:
        model.registry.check("m", "step-1", "")
    assert refused.value.reason == "WEIGHTS_VERSION_CHANGED"
    await model.loses(model.made[1])
    assert model.version == "0"


async def test_a_worker_that_cant_be_brought_up_to_date_takes_no_work(loaded: Any) -> None:
    model = await loaded(1)
    weights, pool = model.parts()
    await weights.load(pool, "/w/5", "five")
    made: list[Worker] = []

    def broken() -> Worker:
        made.append(Worker())
        if len(made) < 3:
            made[-1].fails["load_weights"] = EngineRequestRefused("there are no weights in /w/5")
        return made[-1]

    pool._make_worker = broken
    model.made[0].lost.set()
    await model.serves(0)
    with pytest.raises(WorkersStarting, match="1 of the model's workers are being started"):
        await weights.load(pool, "/w/6", "six")
    await model.serves(1)
    assert (len(made), model.version) == (3, "five")


async def test_where_not_all_workers_did_it_the_error_says_what_each_has(loaded: Any) -> None:
    model = await loaded(2)
    weights, pool = model.parts()
    model.made[1].fails["load_weights"] = EngineError("no memory")
    with pytest.raises(WorkerTrouble) as failed:
        await weights.load(pool, "/w/1", "one")
    assert failed.value.message == "worker 0: done (weights one); worker 1: no memory (weights 0)"
    assert model.version == "0, one"
    model.made[1].fails.clear()
    await weights.load(pool, "/w/1", "one")
    assert model.version == "one"


async def test_each_worker_gets_its_own_place_among_the_ranks(loaded: Any) -> None:
    model = await loaded(2)
    weights, pool = model.parts()
    await weights.transfer(pool, "init_weight_transfer", {"init_info": [{"rank_offset": 1}, {"rank_offset": 2}]})
    told = [worker.calls[-1] for worker in model.made]
    assert told == [("init_weight_transfer", {"init_info": {"rank_offset": rank}}) for rank in (1, 2)]
    with pytest.raises(PreconditionFailed, match=r"options_json has 1 init_info, and the model 2 worker\(s\)"):
        await weights.transfer(pool, "init_weight_transfer", {"init_info": [{}]})


async def test_a_worker_that_comes_back_during_a_call_waits_for_what_the_call_decides(loaded: Any) -> None:
    model = await loaded(2)
    weights, pool = model.parts()
    model.made[0].slow.clear()
    loading = asyncio.create_task(weights.load(pool, "/w/1", "one"))
    await until(lambda: len(model.made[1].calls) == 2)
    model.made[1].lost.set()  # it has done it, and is lost
    await until(lambda: len(model.made) == 3)
    await asyncio.sleep(0.05)
    assert model.made[2].calls == [], "nobody knows yet what it is to have"
    model.made[0].slow.set()
    await loading
    await model.serves(2)
    assert (model.version, model.made[2].version) == ("one", "one")


async def test_a_call_is_carried_to_its_end_though_its_caller_goes(loaded: Any) -> None:
    model = await loaded(1)
    weights, pool = model.parts()
    model.made[0].slow.clear()
    loading = asyncio.create_task(weights.load(pool, "/w/1", "one"))
    await until(lambda: len(model.made[0].calls) == 2)
    loading.cancel()
    await asyncio.gather(loading, return_exceptions=True)
    assert model.version == "0"
    model.made[0].slow.set()
    await until(lambda: model.version == "one")


async def test_sleep_of_level_2_leaves_a_model_waiting_for_weights(loaded: Any) -> None:
    model = await loaded(1)
    weights, pool = model.parts()
    await weights.sleep(pool, 2)
    assert model.state == "ASLEEP"
    await weights.wake_up(pool, [])
    assert model.state == "PAUSED"
    await weights.load(pool, "/w", "w")
    assert model.state == "READY"


async def test_who_asks_for_what_isnt_there_is_refused(loaded: Any) -> None:
    model = await loaded(1)
    weights, pool = model.parts()
    with pytest.raises(NotFound, match="there is no model other"):
        model.registry.weights("other")
    model.registry.check("m", "0", "")
    with pytest.raises(PreconditionFailed, match="models/m has no adapter a; loaded: none"):
        model.registry.check("m", "", "a")
    await weights.load_adapter(pool, "a", "/a")
    model.registry.check("m", "0", "a")
    model.made[0].fails["unload_adapter"] = AdapterNotLoaded("no adapter b is loaded")
    with pytest.raises(PreconditionFailed, match="no adapter b is loaded") as refused:
        await weights.unload_adapter(pool, "b")
    assert refused.value.reason == "ADAPTER_NOT_LOADED"
    (tmp := Path(model.source).parent / "s.jsonl").write_text('{"task_id": "P/0", "completion": "a"}\n')
    other = ModelRegistry(lambda name, source: Pool("generation", lambda: FunctionWorker(lambda work: work), 1))
    await other.load(f"replay:{tmp}")
    with pytest.raises(PreconditionFailed, match="the replay engine tells none"):
        other.check("replay-s", "0", "")
    await other.stop()


async def test_which_checkpoint_it_is_is_told_of_the_version_that_all_workers_have(
    loaded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = await loaded(2)
    weights, pool = model.parts()
    one, other = model.made
    assert await weights.digest(pool) == "", "not known yet"
    one.digests["0"] = "w0"
    assert await weights.digest(pool) == "", "the other one may have loaded other files"
    other.digests["0"] = "w0"
    assert await weights.digest(pool) == "w0"
    other.digests["0"] = "v0"
    assert await weights.digest(pool) == "v0, w0"
    await weights.load(pool, "/w/1", "1")
    assert await weights.digest(pool) == ""
    one.digests["1"] = other.digests["1"] = "w1"
    assert await weights.digest(pool) == "w1"
    # Behind the front end's back: what it has is not what is shown.
    one.version = "2"
    one.digests["2"] = "w2"
    assert (model.version, await weights.digest(pool)) == ("1", "")
    one.version = "1"
    monkeypatch.setattr("codesieve.server.weights.ANSWER_SECONDS", 0.05)
    other.slow.clear()
    assert await weights.digest(pool) == "", "it doesn't answer"
    other.slow.set()
    assert await weights.digest(pool) == "w1"
    _, told = await asyncio.gather(model.loses(other), weights.digest(pool))
    assert told == "", "it is gone"
    assert await weights.digest(pool) == "", "the one in its place reads them again"


@asynccontextmanager
async def a_house_with(model: Model) -> AsyncIterator[House]:
    house = House(generate_right_for_even, judge_by_text, MemoryStore(max_jobs=9))
    house.models = house.jobs._models = model.registry
    house.jobs._teller = Teller(model.registry, tuple)
    await house.judge.start()
    await model.registry.load(model.source)
    house.jobs.start()
    try:
        await model.serves(1)
        yield house
    finally:
        await house.jobs.drain(0)
        await house.models.stop()
        await house.judge.stop()


async def test_a_jobs_end_tells_which_checkpoint_it_was_where_its_begin_could_not(tmp_path: Path) -> None:
    model = Model(tmp_path, 1)

    async def told(job_id: str, meanwhile: Callable[[], Awaitable[None]]) -> list[Provenance]:
        worker.samples.clear()
        await house.create(job_id, for_model(house, generated()))
        await house.runs(job_id)
        await meanwhile()
        worker.samples.set()
        events = [event.happening for event in await house.events(job_id)]
        found = (each.job.provenance for each in events if isinstance(each, JobChanged))
        return [each for each in found if each is not None]

    def which(told: Provenance) -> tuple[str, str]:
        assert told.engine is not None
        return told.engine.weights_version, told.engine.weights_digest

    async def it_is_known() -> None:
        worker.digests["0"] = "w0"

    async def a_trainer_sends_others() -> None:
        weights, pool = model.parts()
        await weights.finish_update(pool, {}, "")

    async with a_house_with(model) as house:
        (worker,) = model.made
        begun, ended = await told("late", it_is_known)
        assert (which(begun), which(ended)) == (("0", ""), ("0", "w0"))
        assert ended.changes == ()
        begun, ended = await told("moved", a_trainer_sends_others)
        assert (which(begun), which(ended)) == (("0", "w0"), ("1", ""))
        assert ended.changes == (Change("engine.weights_version", "0"), Change("engine.weights_digest", "w0"))


async def test_a_job_gets_the_weights_that_it_demands_or_no_sample(tmp_path: Path) -> None:
    """A demand that can't be met refuses the job; weights that change later leave the rest without samples."""
    model = Model(tmp_path, 1)

    def asked(version: str) -> Any:
        spec, contents = for_model(house, generated())
        assert spec.generation is not None
        generation = dataclasses.replace(spec.generation, weights_version=version)
        return dataclasses.replace(spec, generation=generation), contents

    async with a_house_with(model) as house:
        await house.create("right", asked("0"))
        events = await house.events("right")
        samples = [e.happening.sample for e in events if isinstance(e.happening, SampleGenerated)]
        assert {sample.weights_version for sample in samples} == {"0"}
        assert len(samples) == 12
        with pytest.raises(PreconditionFailed, match="has the weights 0 now, not 1"):
            await house.create("wrong", asked("1"))
        # Behind the registry's back, as when an update comes while a job runs.
        model.made[0].version = "1"
        await house.create("late", asked("0"))
        ended = [e.happening.outcome for e in await house.events("late") if isinstance(e.happening, SampleJudged)]
        assert len(ended) == 12
        assert {one.reason for one in ended if isinstance(one, WorkFailed)} == {"WEIGHTS_VERSION_CHANGED"}
        weights, pool = model.parts()
        await weights.load(pool, "/w", "2")
        again = await house.jobs.create(MINE, "right", *asked("0"))
        assert again.state.ended, "a job that is there already isn't refused"
