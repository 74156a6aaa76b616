"""A schedule: harm of every kind, in random order with random pauses, while a job runs; and what must be true at its end."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.e2e.chaos import samples
from tests.e2e.chaos.engine import DockerEngine
from tests.e2e.chaos.world import World
from tests.e2e.processes import wait_for
from tests.ports import free_port
from tests.postgres import Postgres

from codesieve.client import Client, CodesieveError, JobState, Judgement, Retry
from codesieve.client.types import JobChanged, SampleGenerated, SampleJudged

JOB_SECONDS = 240.0
STANDSTILL_SECONDS = 90.0
TARGET_SECONDS = 40.0
GONE_SECONDS = 60.0
ENOUGH = 7
"""Harms that a schedule has to do. Where a machine is so fast that the job ends before the rest, that is said."""
Say = Callable[[str], None]
Verdicts = dict[str, str]


@dataclasses.dataclass(frozen=True)
class Setup:
    """Where cells and jobs are."""

    docker: bool
    postgres: bool

    @classmethod
    def of(cls, seed: int) -> Setup:
        """The one that a seed stands for."""
        return cls(docker=seed % 2 == 0, postgres=seed // 2 % 2 == 0)

    def __str__(self) -> str:
        return f"{'Docker' if self.docker else 'namespaces'}, {'PostgreSQL' if self.postgres else 'SQLite'}"


def undisturbed(world: World) -> Verdicts:
    """The verdicts of a run that nobody disturbs."""
    client = world.start_client(job_id="undisturbed")
    wait_for(lambda: client.ended, JOB_SECONDS)
    verdicts = verdicts_of(world, "undisturbed")
    assert not [one for one in verdicts.values() if one.startswith("UNJUDGED")]
    return verdicts


def verdicts_of(world: World, job_id: str, address: str = "") -> Verdicts:
    """By sample, from the job's events: each sample was made once and judged once, and no event is missing."""
    with Client(address or world.address) as client:
        client.wait_until_ready(60)
        events = list(client.watch(job_id))
    assert [event.sequence for event in events] == list(range(1, len(events) + 1)), "the sequence has gaps"
    made = collections.Counter(event.sample.sample_id for event in events if isinstance(event, SampleGenerated))
    assert set(made.values()) == {1}, [one for one in made.items() if one[1] != 1]
    judged = [event for event in events if isinstance(event, SampleJudged)]
    told = collections.Counter(event.sample_id for event in judged)
    assert set(told.values()) == {1}, [one for one in told.items() if one[1] != 1]
    assert len(made) == len(told) == samples.TOTAL, (len(made), len(told))
    assert set(made) == set(told)
    states = [event.job.state for event in events if isinstance(event, JobChanged)]
    assert states[-1] is JobState.SUCCEEDED, states
    return {event.sample_id: verdict_in(event.judgement) for event in judged}


def verdict_in(judgement: Judgement) -> str:
    if judgement.unjudged is not None:
        return f"UNJUDGED: {judgement.unjudged.reason}: {judgement.unjudged.message}"
    assert judgement.verdict is not None
    return judgement.verdict.value


def check_result(world: World, client: int, expected: Verdicts) -> None:
    """What the client wrote, too, is every sample once with its verdict."""
    rows = [json.loads(line) for line in (world.out(client) / "results.jsonl").read_text().splitlines()]
    verdicts = {row["sample_id"]: row["verdict"] for row in rows}
    assert len(rows) == len(verdicts) == samples.TOTAL, (len(rows), len(verdicts))
    check_verdicts(verdicts, expected)


def check_verdicts(found: Verdicts, expected: Verdicts) -> None:
    wrong = [
        f"{name} is {found.get(name)}, and was {expected.get(name)} undisturbed"
        for name in sorted(found.keys() | expected.keys())
        if found.get(name) != expected.get(name)
    ]
    assert not wrong, f"{len(wrong)} samples differ: {'; '.join(wrong[:5])}"


def run(world: World, expected: Verdicts, chance: random.Random, say: Say) -> None:
    """One schedule. Raises AssertionError that says what isn't as it should be."""
    (front,) = world.front_ends
    client = world.start_client()
    evils = world.evils()
    order = [*evils, *chance.sample(sorted(evils), 2)]
    chance.shuffle(order)
    judged = 0
    for index, name in enumerate(order):
        if client.ended and index >= ENOUGH:
            say(f"  the job had ended before: {', '.join(order[index:])}")
            break
        if chance.random() < 0.8:  # else it comes on top of the one before
            judged = wait_for_progress(world, judged)
        pause = chance.uniform(0.1, 2.5)
        if judged / samples.TOTAL < (index + 1) / (len(order) + 3):  # else there is no time to lose
            time.sleep(pause)
        until = time.monotonic() + TARGET_SECONDS
        while not (hit := evils[name]()) and not client.ended:
            assert time.monotonic() < until, f"there was nothing to {name} for {TARGET_SECONDS:g} s"
            time.sleep(0.1)
        assert hit or index >= ENOUGH, f"the job ended before the schedule could {name}"
        say(f"  {name}: {hit or 'the job has ended'}")
        front.look()
    check_end(world, expected)
    assert front.stop(60) == 0, "the front end did not stop well"
    check_nothing_left(world)
    say(f"  front end started {front.starts} times, client {client.starts} times")


def two_front_ends(world: World, expected: Verdicts) -> None:
    """Two front ends of one store: the one that runs the job is killed for good, and the other takes the job."""
    addresses = [world.address, f"127.0.0.1:{free_port()}"]
    world.start_front_end(addresses[1])
    with Client(addresses[1]) as other:
        other.wait_until_ready(120)
    client = world.start_client()
    wait_for_progress(world, samples.TOTAL // 10)
    (running,) = [
        index for index, one in enumerate(world.front_ends) if '"job": "chaos", "state": "RUNNING"' in one.log
    ]
    assert world.front_ends[running].kill(for_good=True)
    assert client.kill(for_good=True), "the job ended too soon"
    left = 1 - running
    world.address = addresses[left]
    world.start_client()
    check_end(world, expected)
    assert f'"job": "chaos", "state": "{JobState.SUCCEEDED.value}"' in world.front_ends[left].log
    assert world.front_ends[left].stop(60) == 0, "the front end did not stop well"
    check_nothing_left(world)


def check_end(world: World, expected: Verdicts) -> None:
    """The last client gets its result, and that and the job's events are what they should be."""
    client = world.clients[-1]
    wait_for(lambda: client.ended, JOB_SECONDS)
    check_verdicts(verdicts_of(world, world.job_id), expected)
    check_result(world, len(world.clients) - 1, expected)


def check_nothing_left(world: World) -> None:
    with contextlib.suppress(AssertionError):
        wait_for(lambda: not world.left(), GONE_SECONDS)
    left = world.left()
    assert not left, f"left behind: {left}"


def wait_for_progress(world: World, judged: int) -> int:
    """Until more samples are judged than these, whatever was done to the job; how many are."""
    until = time.monotonic() + STANDSTILL_SECONDS
    with Client(world.address, retry=Retry(0.0)) as client:
        while True:
            with contextlib.suppress(CodesieveError):
                progress = client.jobs.get(world.job_id).progress
                if progress is not None and progress.judged > judged:
                    return progress.judged
            assert time.monotonic() < until, f"nothing was judged for {STANDSTILL_SECONDS:g} s after {judged} samples"
            time.sleep(0.1)


class Laboratory:
    """Runs schedules, and keeps between them what takes long to make: an engine with its image, a PostgreSQL server."""

    def __init__(self, directory: Path, say: Say) -> None:
        self._directory = directory
        self._say = say
        self._stack = contextlib.ExitStack()
        self._engine: DockerEngine | None = None
        self._postgres: Postgres | None = None
        self._expected: Verdicts | None = None

    def __enter__(self) -> Laboratory:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def run(self, seed: int, setup: Setup) -> float:
        """One schedule from its seed; how many seconds it took."""
        begun = time.monotonic()
        chance = random.Random(seed)
        with self._world(f"seed{seed}", setup, chance) as world:
            run(world, self._undisturbed(world), chance, self._say)
        return time.monotonic() - begun

    def two_front_ends(self) -> None:
        """A job that one front end begins and another ends."""
        with self._world("two", Setup(docker=False, postgres=True), random.Random(0)) as world:
            two_front_ends(world, self._undisturbed(world))

    def _undisturbed(self, world: World) -> Verdicts:
        if self._expected is None:
            self._expected = undisturbed(world)
            self._say(f"  undisturbed: {dict(collections.Counter(self._expected.values()))}")
        return self._expected

    @contextlib.contextmanager
    def _world(self, name: str, setup: Setup, chance: random.Random) -> Iterator[World]:
        if setup.docker and self._engine is None:
            # A short path: a Unix socket's may have 107 bytes.
            place = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="csd", dir="/tmp")))
            self._engine = DockerEngine(place / "engine")
            self._stack.callback(self._engine.remove)
            self._engine.start()
        if setup.postgres and self._postgres is None:
            self._postgres = self._stack.enter_context(Postgres())
        postgres = self._postgres if setup.postgres else None
        engine = self._engine if setup.docker else None
        with World(self._directory / name, postgres, engine, chance).running() as world:
            world.start_front_end()
            yield world
