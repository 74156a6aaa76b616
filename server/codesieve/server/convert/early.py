"""What clients send of early stop, checked."""

from __future__ import annotations

from collections.abc import Sequence

from codesieve.server.convert.fields import Violations
from codesieve.server.evaluation.stopping import EarlyStop
from codesieve.v1 import job_pb2

MAX_SAMPLES_WITH_INTERVAL = 10_000
"""Samples per problem whose estimates are computed within seconds."""

_HERE = "job.generation.early_stop"


def read_early_stop(message: job_pb2.EarlyStop, most: int, ks: Sequence[int], found: Violations) -> EarlyStop:
    """The rule, for at most `most` samples of a problem."""
    passes, width, least = message.passes, message.interval_width, message.min_samples
    if passes < 0 or passes > most > 0:
        found.add(f"{_HERE}.passes", f"must be between 1 and samples_per_problem, {most}, or 0 for none, not {passes}")
    if not 0 <= width < 1:  # false for NaN as well
        found.add(f"{_HERE}.interval_width", f"must be greater than 0 and less than 1, or 0 for none, not {width:g}")
    elif width and most > MAX_SAMPLES_WITH_INTERVAL:
        found.add(
            f"{_HERE}.interval_width",
            f"takes at most {MAX_SAMPLES_WITH_INTERVAL} samples_per_problem, and there are {most}",
        )
    if not passes and not width:
        found.add(_HERE, "must set passes or interval_width")
    largest = max(ks, default=1)
    if least < 0 or least > most > 0:
        found.add(f"{_HERE}.min_samples", f"must be between 0 and samples_per_problem, {most}, not {least}")
    elif width and 0 < least < largest:
        found.add(
            f"{_HERE}.min_samples",
            f"is {least}, but with interval_width a problem without a pass may stop there, and pass@{largest} needs "
            f"{largest} samples of it: set {largest} or more, or leave it out",
        )
    return EarlyStop(passes, width, least or (largest if width else 0))
