"""codesieve's SDK: `Client` and `AsyncClient`, their values and their errors.

    from codesieve.client import Client, Generation

    with Client("127.0.0.1:7420") as client:
        result = client.run("humaneval", Generation(temperatures=(0.2, 0.8), samples_per_problem=200), k=(1, 10, 100))

It needs grpcio and protobuf and nothing else. Those two are loaded when the first of the names that need them is used,
so that importing this package costs a trainer next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codesieve.client.errors import (
    AlreadyExists,
    CodesieveError,
    InvalidFile,
    InvalidRequest,
    JobCancelled,
    JobFailed,
    NotAllowed,
    NotFound,
    Overloaded,
    PreconditionFailed,
    ServerError,
    TryLater,
    Unauthenticated,
    Unavailable,
)
from codesieve.client.problems import (
    AssertionTests,
    Comparison,
    Framework,
    FunctionTests,
    Problem,
    ScriptTests,
    StdioCase,
    StdioTests,
)
from codesieve.client.provenance import CellsProvenance, EngineProvenance, Provenance
from codesieve.client.retry import Retry
from codesieve.client.security import Security
from codesieve.client.server_types import (
    Server,
    ServerJob,
    ServerQueue,
    ServerTotals,
    ServerWaiting,
    ServerWorker,
    WorkerState,
)
from codesieve.client.settings import EarlyStop
from codesieve.client.types import (
    EarlyStopReport,
    Event,
    Failure,
    FinishReason,
    Integrity,
    Job,
    JobChanged,
    JobPage,
    JobState,
    Judged,
    JudgeItem,
    Judgement,
    JudgeReport,
    Limits,
    Model,
    ModelState,
    PassAtK,
    PauseMode,
    Priority,
    Progress,
    PromptForm,
    Ranking,
    RecordedSample,
    Report,
    RunResult,
    Sample,
    SampleGenerated,
    SampleJudged,
    TemperatureReport,
    TestResult,
    Unjudged,
    Verdict,
)

if TYPE_CHECKING:
    from codesieve.client.async_client import AsyncClient
    from codesieve.client.requests import Generation
    from codesieve.client.sync_client import Client

_LAZY = {"AsyncClient": "async_client", "Client": "sync_client", "Generation": "requests"}

__all__ = [
    "AlreadyExists",
    "AssertionTests",
    "AsyncClient",
    "CellsProvenance",
    "Client",
    "CodesieveError",
    "Comparison",
    "EarlyStop",
    "EarlyStopReport",
    "EngineProvenance",
    "Event",
    "Failure",
    "FinishReason",
    "Framework",
    "FunctionTests",
    "Generation",
    "Integrity",
    "InvalidFile",
    "InvalidRequest",
    "Job",
    "JobCancelled",
    "JobChanged",
    "JobFailed",
    "JobPage",
    "JobState",
    "JudgeItem",
    "JudgeReport",
    "Judged",
    "Judgement",
    "Limits",
    "Model",
    "ModelState",
    "NotAllowed",
    "NotFound",
    "Overloaded",
    "PassAtK",
    "PauseMode",
    "PreconditionFailed",
    "Priority",
    "Problem",
    "Progress",
    "PromptForm",
    "Provenance",
    "Ranking",
    "RecordedSample",
    "Report",
    "Retry",
    "RunResult",
    "Sample",
    "SampleGenerated",
    "SampleJudged",
    "ScriptTests",
    "Security",
    "Server",
    "ServerError",
    "ServerJob",
    "ServerQueue",
    "ServerTotals",
    "ServerWaiting",
    "ServerWorker",
    "StdioCase",
    "StdioTests",
    "TemperatureReport",
    "TestResult",
    "TryLater",
    "Unauthenticated",
    "Unavailable",
    "Unjudged",
    "Verdict",
    "WorkerState",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(f"codesieve.client.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
