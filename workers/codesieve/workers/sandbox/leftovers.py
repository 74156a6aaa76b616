"""What dead workers left behind, removed when a worker starts and every minute by any that lives.

A worker is dead when nobody holds the lock on its block of user ids. So a worker that was killed (-9) needs no heir of its
own: whoever shares its runtime directory tidies up after it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from codesieve.workers.errors import SandboxError

log = logging.getLogger(__name__)

SWEEP_SECONDS = 60.0


class Sweeper:
    """Calls `sweep` every so often, in a thread, until it is stopped."""

    def __init__(self, sweep: Callable[[], None], every_seconds: float) -> None:
        self._sweep = sweep
        self._every_seconds = every_seconds
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._every_seconds):
                    await self._stopping.wait()
            except TimeoutError:
                pass
            else:
                return
            try:
                await asyncio.to_thread(self._sweep)
            except (OSError, SandboxError) as error:
                log.warning("what dead workers left can't be removed yet", extra={"error": str(error)})

    async def stop(self) -> None:
        """Returns once no sweep is under way."""
        self._stopping.set()
        if self._task is not None:
            await self._task
            self._task = None
