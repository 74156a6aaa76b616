"""Asks a model's engines what they counted, every few seconds, for the metrics.

Each place in the model's pool is asked by itself and waits for no other. A worker that doesn't answer is asked again the
next time; whether it is lost is the pool's to find out. What a lost engine counted since it was last asked is lost with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from codesieve.server.metrics import EngineMetrics
from codesieve.workers.errors import WorkerError
from codesieve.workers.faults import outline
from codesieve.workers.types import EngineStats

log = logging.getLogger(__name__)

ASK_EVERY_SECONDS = 5.0
ANSWER_SECONDS = 5.0
"""How long an answer is waited for."""


class TellsStats(Protocol):
    """A generation worker, as far as it is asked here."""

    async def stats(self) -> EngineStats | None: ...


class EngineWatch:
    """One model's engines, as they are seen in the metrics."""

    def __init__(self, model: str, places: Callable[[], Sequence[TellsStats | None]], metrics: EngineMetrics) -> None:
        """`places` are the model's workers by their places, None for one that is being started again."""
        self._model = model
        self._places = places
        self._metrics = metrics
        self._last: dict[int, tuple[TellsStats, EngineStats]] = {}
        """By place, who was asked last and what it said."""

    async def run(self) -> None:
        """Asks for as long as it isn't cancelled."""
        while True:
            await self.ask()
            await asyncio.sleep(ASK_EVERY_SECONDS)

    async def ask(self) -> None:
        """Asks every engine once."""
        await asyncio.gather(*(self._ask(place, worker) for place, worker in enumerate(self._places())))

    async def _ask(self, place: int, worker: TellsStats | None) -> None:
        if worker is None:
            self._metrics.gone(self._model, place)
            return
        whose = {"model": self._model, "worker": place}
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                now = await worker.stats()
        except (WorkerError, TimeoutError) as error:
            log.debug("an engine doesn't say what it counted", extra={**whose, "error": str(error)})
            return
        except Exception as error:  # noqa: BLE001 - a defect of ours: the others are asked all the same, and it is seen
            log.error("an engine can't be asked what it counted", extra={**whose, "error": outline(error)})
            return
        if now is None:
            return
        known, before = self._last.get(place, (None, EngineStats()))
        if known is not worker:
            before = EngineStats()
        self._last[place] = worker, now
        self._metrics.counted(self._model, place, before, now)
