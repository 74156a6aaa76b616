"""The one value that evaluation reads: a problem's samples, reduced to what pass@k and the ranking need."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NOT_JUDGED, NOT_PASSED, PASSED = -1, 0, 1
"""What `ScoredSamples.passed` holds."""
NO_COUNT = -1
"""Where a token count is unknown."""


@dataclasses.dataclass(frozen=True, slots=True)
class ScoredSamples:
    """The samples of one problem at one temperature and what became of them, in the order of their index."""

    problem_id: str
    temperature: float | None
    """None where recorded samples don't say."""
    passed: NDArray[np.int8]
    """`NOT_JUDGED` where a sample is missing or ended without a verdict: it then counts nowhere."""
    token_count: NDArray[np.int32]
    cumulative_logprob: NDArray[np.float64]
    """Natural logarithm, summed over the completion's tokens; not a number where it is unknown."""
