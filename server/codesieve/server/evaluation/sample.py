"""The one value that evaluation reads: a problem's samples, reduced to what pass@k and the ranking need."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NOT_MADE, MADE, UNJUDGED, NOT_PASSED, PASSED = -3, -2, -1, 0, 1
"""What `ScoredSamples.passed` holds. From `UNJUDGED` on a sample has ended, from `NOT_PASSED` on it has a verdict."""
NO_COUNT = -1
"""Where a token count is unknown."""


@dataclasses.dataclass(frozen=True, slots=True)
class ScoredSamples:
    """The samples of one problem at one temperature and what became of them, in the order of their index."""

    problem_id: str
    temperature: float | None
    """None where recorded samples don't say."""
    passed: NDArray[np.int8]
    """`NOT_MADE` where there is no sample, `MADE` where it has not ended, `UNJUDGED` where it ended without a verdict."""
    token_count: NDArray[np.int32]
    cumulative_logprob: NDArray[np.float64]
    """Natural logarithm, summed over the completion's tokens; not a number where it is unknown."""
