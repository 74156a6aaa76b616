"""What a job found out: frozen values, as in `codesieve.client.types`, which offers these as well."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class PassAtK:
    """The unbiased estimator of Chen et al. 2021, equation 1, averaged over `problems` problems."""

    k: int
    value: float
    interval: tuple[float, float] | None
    """95 %, bootstrap over problems; None with fewer than two."""
    problems: int


@dataclasses.dataclass(frozen=True, slots=True)
class Ranking:
    """The share of problems solved when one sample of each is picked by a rule (Chen et al. 2021, figure 7)."""

    mean_logprob: float | None
    sum_logprob: float | None
    random: float
    oracle: float
    problems: int


@dataclasses.dataclass(frozen=True, slots=True)
class EarlyStopReport:
    """What stopping problems early saved, at one temperature."""

    planned: int
    """The most samples that there would have been."""
    saved: int
    """Those of them that were never made."""
    surplus: int
    """Made beyond the point where their problem was stopped, as they were under way already; they count nowhere."""
    problems_stopped: int


@dataclasses.dataclass(frozen=True, slots=True)
class TemperatureReport:
    """The figures of all samples at one temperature; None holds recorded samples that don't say theirs."""

    temperature: float | None
    samples: int
    """Judged, and not beyond the point where their problem was stopped early."""
    pass_at_k: tuple[PassAtK, ...]
    ranking: Ranking | None
    early_stop: EarlyStopReport | None = None
    """None where the job didn't ask for it."""


@dataclasses.dataclass(frozen=True, slots=True)
class JudgeReport:
    """How the judging went."""

    programs_per_second: float
    wall_seconds: float
    sandbox: str
    """"docker" or "namespaces"."""


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What a job found out."""

    temperatures: tuple[TemperatureReport, ...]
    judge: JudgeReport | None
