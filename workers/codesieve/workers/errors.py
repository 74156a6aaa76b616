"""The errors that cross from workers to the front end.

    WorkerError
    ├── WorkerLost                  the worker's process died; what it was doing may be done elsewhere
    ├── SandboxError
    │   ├── SandboxUnavailable      no sandbox can be had on this machine: no engine, no namespaces, no image
    │   ├── CellLost                a cell died or can't prove it is clean; the program may be judged elsewhere
    │   └── TestsBroken             the tests can't be run in this sandbox, whatever the program
    └── EngineError
        ├── EngineUnavailable       the engine isn't installed or can't start
        ├── EngineLost              the engine ended while it served; its worker has to be started again
        ├── ModelNotFound           nothing is there to load
        ├── WeightsVersionChanged   the weights are not, or no longer, those that the request demands
        └── EngineRequestRefused    the engine refuses this one request; no other worker would take it
            └── AdapterNotLoaded    no LoRA adapter has the name that the request samples with

Each has a stable `reason` and a message of one line that says what would mend it. All of them pickle: the only state is
the message, so the standard reduction rebuilds them on the other side of Ray.
"""

from __future__ import annotations


class WorkerError(Exception):
    """Something of ours, not of the program's, went wrong."""

    reason = "WORKER_FAILED"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class WorkerLost(WorkerError):
    """The worker's process died."""

    reason = "WORKER_LOST"


class SandboxError(WorkerError):
    """A sandbox worker's trouble."""

    reason = "SANDBOX_FAILED"


class SandboxUnavailable(SandboxError):
    """No sandbox can be had here."""

    reason = "SANDBOX_UNAVAILABLE"


class CellLost(SandboxError):
    """A cell died, or can't prove that it is clean."""

    reason = "CELL_LOST"


class TestsBroken(SandboxError):
    """The tests can't be run in this sandbox, whatever the program."""

    reason = "TESTS_BROKEN"
    __test__ = False  # no class of pytest's


class EngineError(WorkerError):
    """A generation worker's trouble."""

    reason = "ENGINE_FAILED"


class EngineUnavailable(EngineError):
    """The engine isn't installed or can't start."""

    reason = "ENGINE_UNAVAILABLE"


class EngineLost(EngineError):
    """The engine ended while it served."""

    reason = "ENGINE_LOST"


class ModelNotFound(EngineError):
    """There is no such model to load."""

    reason = "MODEL_NOT_FOUND"


class EngineRequestRefused(EngineError):
    """The engine refuses this one request."""

    reason = "ENGINE_REQUEST_REFUSED"


class WeightsVersionChanged(EngineError):
    """The weights are not those that the request demands; another worker may have them."""

    reason = "WEIGHTS_VERSION_CHANGED"


class AdapterNotLoaded(EngineRequestRefused):
    """No adapter of this name is loaded."""

    reason = "ADAPTER_NOT_LOADED"


OUTAGES = frozenset(kind.reason for kind in (WorkerLost, SandboxUnavailable, EngineUnavailable, EngineLost))
"""The reasons of failures that no piece of work has caused: nothing could have been done there then."""
