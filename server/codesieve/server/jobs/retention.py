"""Jobs that ended long ago are deleted, once an hour."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Callable

from codesieve.server.errors import StoreUnavailable
from codesieve.server.jobs.store import JobStore
from codesieve.workers.faults import outline

log = logging.getLogger(__name__)

SWEEP_SECONDS = 3600.0
_NEVER = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


async def sweep_for_ever(store: JobStore, days: float, now: Callable[[], datetime.datetime]) -> None:
    """Deletes what ended more than `days` ago, at once and then every hour, until it is cancelled. 0 keeps everything."""
    while True:
        try:
            # With 0 too: a deleted job may have rows that a crash kept from being removed.
            oldest = now() - datetime.timedelta(days=days) if days else _NEVER
            count = await store.delete_ended_before(oldest)
            if count:
                log.info("old jobs were deleted", extra={"jobs": count, "days": days})
        except StoreUnavailable as error:
            log.warning("old jobs are not deleted now", extra={"error": error.message})
        except Exception as error:  # noqa: BLE001 - the next sweep must come all the same
            log.error("old jobs are not deleted now", extra={"error": outline(error)})
        await asyncio.sleep(SWEEP_SECONDS)
