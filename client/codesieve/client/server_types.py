"""What a server does now, as `Client.server` gives it: frozen values without protobuf, as in ``codesieve.client.types``."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from codesieve.client.types import JobState, Progress, Verdict


class WorkerState(enum.StrEnum):
    """What a worker is about."""

    STARTING = "STARTING"
    """The one before it in this place was lost, and it isn't ready."""
    RUNNING = "RUNNING"
    RESTING = "RESTING"
    """It failed at something that wasn't the work's fault, and is given nothing for a while."""


@dataclasses.dataclass(frozen=True, slots=True)
class ServerWorker:
    """A place for a worker, and who is in it."""

    pool: str
    """ "sandbox", or "generation-MODEL"."""
    place: int
    """From 0, in its pool."""
    state: WorkerState
    kind: str
    """The sandbox ("docker", "namespaces") or the engine ("vllm", "openai", "replay")."""
    detail: str
    """One line for people: the image, the model's source, the device."""
    capacity: int
    """How many programs or samples it works on at a time."""
    in_hand: int
    """How many it was given and has not answered: up to twice its capacity."""
    lost: int
    """How many workers in this place were lost and replaced."""


@dataclasses.dataclass(frozen=True, slots=True)
class ServerQueue:
    """What waits at one hop of a sample's way."""

    hop: str
    """ "generation", "judge", "store" or "client"."""
    depth: int
    oldest_seconds: float
    """The age of what waits there longest; 0 where nothing does."""


@dataclasses.dataclass(frozen=True, slots=True)
class ServerJob:
    """A job, as an operator sees it."""

    job_id: str
    caller: str
    """Whose it is; empty where the server asks for no tokens."""
    state: JobState
    model: str
    """Empty where the samples are recorded."""
    start_time: datetime.datetime | None
    progress: Progress
    create_time: datetime.datetime | None = None
    """None from a server that doesn't tell it."""
    model_ready: bool = False
    """This server has what it takes to run it: its model is ready there, or its samples are recorded."""


@dataclasses.dataclass(frozen=True, slots=True)
class ServerWaiting:
    """Jobs, of all callers, that have not ended and that no front end runs."""

    count: int
    oldest_seconds: float
    """Since the one was made that was made first; 0 where none waits."""
    jobs: tuple[ServerJob, ...]
    """The first of them, in the order in which they would be taken if each had its model ready."""


@dataclasses.dataclass(frozen=True, slots=True)
class ServerTotals:
    """What has happened in jobs and Judge streams since the server's start."""

    generated: int
    verdicts: Mapping[Verdict, int]
    """Of each that occurred; those from the cache included."""
    unjudged: int
    cache_hits: int
    tokens: Mapping[str, int]
    """Those that the engines sampled, by model, where the engine tells it."""

    @property
    def judged(self) -> int:
        """Samples with a verdict."""
        return sum(self.verdicts.values())


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """A server at one moment."""

    version: str
    start_time: datetime.datetime
    """Another one than before: it was started again, and its totals began at 0."""
    read_time: datetime.datetime
    """The moment, by the server's clock: rates are differences of totals over differences of this."""
    sandbox: str
    workers: tuple[ServerWorker, ...]
    queues: tuple[ServerQueue, ...]
    jobs: tuple[ServerJob, ...]
    totals: ServerTotals
    rpcs_in_flight: int
    """Calls under way, this one and open streams among them."""
    waiting: ServerWaiting | None = None
    """None where it isn't known: the server can't reach its store, or doesn't tell it."""
