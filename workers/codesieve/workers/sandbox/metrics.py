"""What a sandbox worker counts: its cells, and where the time of its programs goes. The names are the catalogue's.

The registry is passed in. Every label value is there from the start, at zero, so that a rate sees the first of a kind.
Cells are counted when they are asked for; all else is as it happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, ProcessCollector, generate_latest

from codesieve.workers import catalogue
from codesieve.workers.sandbox.inside import frames
from codesieve.workers.sandbox.judge import Seen
from codesieve.workers.sandbox.phases import Phases
from codesieve.workers.types import Judgement, Verdict

LEFT = {"files": frames.LEFT_FILES, "processes": frames.LEFT_PROCESSES, "ipc": frames.LEFT_IPC}
RETRIES = ("cell_lost", "alone")


class SandboxMetrics:
    """Those of one worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        seconds = catalogue.JUDGE_SECONDS.on(registry)
        self._seconds = [seconds.labels(phase) for phase in catalogue.PHASES]
        self._cells = catalogue.CELLS.on(registry)
        self._resets = catalogue.CELL_RESETS.on(registry)
        self._destroyed = by_value(catalogue.CELLS_DESTROYED.on(registry), catalogue.DESTROYED)
        self._leaks = by_value(catalogue.CELL_LEAKS.on(registry), catalogue.LEAKS)
        self._retries = by_value(catalogue.PROGRAM_RETRIES.on(registry), RETRIES)
        self._tampered = catalogue.TAMPER_ATTEMPTS.on(registry)
        catalogue.BUILD_INFO.on(registry).labels("sandbox", version("codesieve")).set(1)
        ProcessCollector(registry=registry)

    def watch_cells(self, count: Callable[[], Mapping[str, int]]) -> None:
        """`count` is asked how many there are in each state."""
        for state in catalogue.CELL_STATES:
            self._cells.labels(state).set_function(partial(lambda state: count()[state], state))

    def judged(self, judgement: Judgement, phases: Phases) -> None:
        """A program has its judgement."""
        whole = (phases.wait_seconds, phases.fork_seconds, phases.run_seconds, phases.compare_seconds)
        for histogram, seconds in zip(self._seconds, whole, strict=True):
            histogram.observe(seconds)
        if judgement.verdict is Verdict.TAMPERED:
            self._tampered.inc()

    def judged_again(self, reason: str) -> None:
        """A program is: `reason` is one of RETRIES."""
        self._retries[reason].inc()

    def ended(self, seen: Seen, clean: bool) -> None:
        """A program's process has ended, and its cell was proved clean or not."""
        if clean:
            self._resets.inc()
        if seen.left:
            for kind, counter in self._leaks.items():
                if seen.left & LEFT[kind]:
                    counter.inc()

    def destroyed(self, reason: str) -> None:
        """A cell was given up: `reason` is one of DESTROYED."""
        self._destroyed[reason].inc()

    def exposition(self) -> bytes:
        """All of the registry in Prometheus' text format 0.0.4."""
        return generate_latest(self._registry)


def by_value(counter: Counter, values: tuple[str, ...]) -> Mapping[str, Counter]:
    return {value: counter.labels(value) for value in values}
