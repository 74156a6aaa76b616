"""What every store decides and says alike: who is admitted, which jobs are claimed first, and its refusals' words. Pure."""

from __future__ import annotations

import collections
import datetime
from collections.abc import Iterable, Sequence
from typing import TypeVar

from codesieve.server.errors import AlreadyExists, NotFound, Overloaded, PreconditionFailed
from codesieve.server.jobs.model import JobKey
from codesieve.server.jobs.store import Admission
from codesieve.server.sharing import Priority

RETRY_SECONDS = 10.0

T = TypeVar("T")


def choose(free: Iterable[tuple[T, str, Priority]], held: Iterable[str], limit: int) -> Sequence[T]:
    """At most `limit` of the jobs that are free, in the order in which they are to be claimed.

    `free` gives each with its caller and its priority, the oldest first; `held` the caller of each job that is leased.
    Interactive ones come first, then those of callers that have the fewest jobs leased, then the oldest.
    """
    counts = collections.Counter(held)
    waiting = list(free)
    chosen: list[T] = []
    while waiting and len(chosen) < limit:
        urgency = [(priority is Priority.BATCH, counts[caller]) for _, caller, priority in waiting]
        job, caller, _ = waiting.pop(urgency.index(min(urgency)))  # the first of equals
        counts[caller] += 1
        chosen.append(job)
    return chosen


def no_such_job(key: JobKey) -> NotFound:
    return NotFound(f"there is no job {key.job_id}", reason="JOB_NOT_FOUND")


def job_exists(key: JobKey) -> AlreadyExists:
    return AlreadyExists(
        f"job {key.job_id} exists and asks for something else; choose another job_id", reason="JOB_EXISTS"
    )


def not_ended(key: JobKey) -> PreconditionFailed:
    return PreconditionFailed(f"job {key.job_id} has not ended; cancel it first", reason="JOB_NOT_ENDED")


def too_many_jobs(count: int) -> Overloaded:
    return Overloaded(
        f"{count} jobs are waiting or running, which is all this server keeps",
        reason="TOO_MANY_JOBS",
        retry_after_seconds=RETRY_SECONDS,
    )


def refuse_too_many(admission: Admission, open_jobs: int, caller_open_jobs: int) -> None:
    """Raises `Overloaded` where one more job is more than what is admitted."""
    if admission.caller_open_jobs is not None and caller_open_jobs >= admission.caller_open_jobs:
        raise Overloaded(
            f"{caller_open_jobs} of your jobs have not ended, which is your quota",
            reason="JOB_QUOTA",
            retry_after_seconds=RETRY_SECONDS,
        )
    if admission.open_jobs is not None and open_jobs >= admission.open_jobs:
        raise too_many_jobs(open_jobs)


def samples_used_up(limit: int, now: datetime.datetime) -> Overloaded:
    """They come back at midnight, UTC."""
    midnight = datetime.datetime.combine(now.date() + datetime.timedelta(days=1), datetime.time(), datetime.UTC)
    return Overloaded(
        f"that would be more than the {limit} samples a day of your quota",
        reason="SAMPLE_QUOTA",
        retry_after_seconds=(midnight - now).total_seconds(),
    )


def wrong_sequence(key: JobKey, there: int, after_sequence: int) -> RuntimeError:
    """No trouble of the store's: its caller has lost count."""
    return RuntimeError(f"job {key.job_id} has {there} events; none can be added after {after_sequence}")
