"""Builds requests and refuses the ones that can't be right, before anything is sent.

The checks name fields as the server does ("job.generation.temperatures[1]"), so whoever shows a violation needs one way
only. The server checks everything again; what only it can know (task ids of its data sets, its models) is left to it.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import re
import uuid
from typing import TYPE_CHECKING

from codesieve.client import convert, types
from codesieve.client.errors import InvalidRequest
from codesieve.client.problems import Problem
from codesieve.v1 import job_pb2, judge_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_MESSAGE_BYTES = 64 * 2**20
"""The largest request and answer, here and at the server."""
MAX_COMPLETION_BYTES = 2**20
"""The largest completion."""
MAX_TIMEOUT_SECONDS = 366 * 86_400.0
"""The longest time limit of a job."""

_DATASETS = {"humaneval": frozenset(f"HumanEval/{number}" for number in range(164))}
"""The task ids of published data sets, which never change; of others only the server knows them."""
_JOB_ID = re.compile(r"[a-z][a-z0-9-]{0,62}\Z")


@dataclasses.dataclass(frozen=True, slots=True)
class EarlyStop:
    """When no more samples of a problem are made, at one temperature: once either bound that is set is reached.

    pass@k stays unbiased. Verdicts are looked at in the order of the samples' index, so short samples have no advantage.
    """

    passes: int = 0
    """So many samples passed; 0 for no such bound."""
    interval_width: float = 0.0
    """The 95 % Wilson interval of the problem's pass rate is at most so wide; 0 for no such bound."""
    min_samples: int = 0
    """Never before so many verdicts. With `interval_width` 0 takes the largest k, and less than that is refused."""


@dataclasses.dataclass(frozen=True, slots=True)
class Generation:
    """How samples are made. The defaults are Codex's; the server fills in what is left unset."""

    model: str = ""
    """A model that the server lists; empty takes its only one."""
    temperatures: Sequence[float] = (0.2,)
    """Each at least 0, none twice; 0 is greedy."""
    samples_per_problem: int = 1
    """For each problem and temperature."""
    top_p: float | None = None
    max_tokens: int | None = None
    stop: Sequence[str] = ()
    """The completion ends in front of the first of these. Empty takes Codex's stop sequences."""
    seed: int = 0
    """The same seed gives the same samples on one engine, as far as the engine promises it: vLLM does so for equal batches
    on equal hardware and software."""
    top_k: int = 0
    """Only the so many most likely tokens are sampled from; 0 for all."""
    min_p: float = 0.0
    """Only tokens at least so many times as likely as the most likely one are sampled from; 0 for all."""
    token_logprobs: bool = False
    """Whether samples carry each token's log-probability."""
    prompt_form: types.PromptForm | None = None
    """None takes COMPLETION. With CHAT no stop sequences are taken unless some are given."""
    weights_version: str = ""
    """The version of the model's weights that every sample is to be made with; empty for whichever is there. Samples that
    would be made with another one end as UNJUDGED."""
    adapter: str = ""
    """The LoRA adapter to sample with; empty for none."""
    early_stop: EarlyStop | None = None
    """`samples_per_problem` is then the most there are."""


def create_job(
    problems: str | Sequence[Problem],
    samples: Generation | Sequence[types.RecordedSample],
    *,
    k: Sequence[int] = (),
    limit: int = 0,
    limits: types.Limits | None = None,
    job_id: str | None = None,
    priority: types.Priority | None = None,
    timeout_seconds: float | None = None,
) -> job_pb2.CreateJobRequest:
    """Builds the request that starts a job; it always carries a job id, so that it can be sent twice.

    Raises `InvalidRequest` with all that is wrong with it.
    """
    job = job_pb2.Job(k=_k_in_range(k), limits=convert.limits(limits), priority=convert.priority(priority))
    chosen, wrong = _job_id(job_id)
    if timeout_seconds is not None and 0 < timeout_seconds <= MAX_TIMEOUT_SECONDS:
        job.timeout.FromNanoseconds(round(timeout_seconds * 1e9))
    elif timeout_seconds is not None:
        bounds = f"must be above 0 and at most {MAX_TIMEOUT_SECONDS:g} s"
        wrong.append(("job.timeout", f"{bounds}, not {timeout_seconds:g} s"))
    if limit < 0:
        wrong.append(("job.problems.limit", f"must be at least 0, not {limit}"))
    if not problems:
        wrong.append(("job.problems", "there are no problems"))
    if isinstance(samples, Generation):
        wrong += _wrong_generation(samples)
        most = samples.samples_per_problem
        if not wrong:
            job.generation.CopyFrom(_generation(samples))
    else:
        wrong += _wrong_samples(samples, problems)
        most = max(collections.Counter((each.problem_id, each.temperature) for each in samples).values(), default=0)
        if not wrong:
            job.recorded.samples.extend(convert.recorded_sample(each) for each in samples)
    wrong += _wrong_ks(k, most)
    if wrong:
        raise invalid(wrong)
    job.problems.CopyFrom(convert.problem_source(problems, limit))
    return job_pb2.CreateJobRequest(job_id=chosen, job=job)


def rejudge_job(job: str | types.Job, job_id: str | None = None) -> job_pb2.RejudgeJobRequest:
    """Builds the request that judges a job's samples again; it always carries a job id. Raises `InvalidRequest`."""
    chosen, wrong = _job_id(job_id)
    if wrong:
        raise invalid(wrong)
    return job_pb2.RejudgeJobRequest(name=job_name(job), job_id=chosen)


def _job_id(chosen: str | None) -> tuple[str, list[tuple[str, str]]]:
    """The id, or a new one, and what is wrong with it."""
    job_id = f"job-{uuid.uuid4().hex}" if chosen is None else chosen
    if _JOB_ID.match(job_id):
        return job_id, []
    return job_id, [("job_id", "must be 1 to 63 lower-case letters, digits and hyphens, and begin with a letter")]


def judge_setup(
    problems: str | Sequence[Problem], limits: types.Limits | None = None, priority: types.Priority | None = None
) -> judge_pb2.JudgeRequest:
    """Builds the first message of a Judge stream. Raises `InvalidRequest`."""
    if not problems:
        raise invalid([("setup.problems", "there are no problems")])
    return judge_pb2.JudgeRequest(
        setup=judge_pb2.JudgeSetup(
            problems=convert.problem_source(problems),
            limits=convert.limits(limits),
            priority=convert.priority(priority),
        )
    )


def job_name(job: str | types.Job) -> str:
    """The resource name of a job that is given as itself, by its name or by its bare id."""
    if isinstance(job, types.Job):
        return job.name
    return job if job.startswith("jobs/") else f"jobs/{job}"


def model_name(model: str | types.Model) -> str:
    """The same of a model."""
    if isinstance(model, types.Model):
        return model.name
    return model if model.startswith("models/") else f"models/{model}"


def size(count: int) -> str:
    """A number of bytes, for people."""
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count} bytes"


def invalid(violations: Sequence[tuple[str, str]]) -> InvalidRequest:
    """The error for these violations; its one line holds them all."""
    line = "; ".join(f"{field}: {what}" for field, what in violations)
    return InvalidRequest(line, reason="INVALID_ARGUMENT", violations=tuple(violations))


def wrong_completion(completion: bytes) -> str | None:
    """What is wrong with a completion, if anything is."""
    if len(completion) <= MAX_COMPLETION_BYTES:
        return None
    return f"is {size(len(completion))}; at most {size(MAX_COMPLETION_BYTES)} is taken"


def _wrong_ks(k: Sequence[int], most: int) -> list[tuple[str, str]]:
    wrong = []
    for place, each in enumerate(k):
        if each < 1:
            wrong.append((f"job.k[{place}]", f"must be at least 1, not {each}"))
        elif each > most > 0:
            wrong.append((f"job.k[{place}]", f"is {each}, but there are at most {most} samples per problem"))
    return wrong


def _k_in_range(k: Sequence[int]) -> list[int]:
    return [each for each in k if -(2**31) <= each < 2**31]


def _wrong_generation(generation: Generation) -> list[tuple[str, str]]:
    at = "job.generation"
    wrong = []
    if not 1 <= generation.samples_per_problem < 2**31:
        wrong.append((f"{at}.samples_per_problem", f"must be at least 1, not {generation.samples_per_problem}"))
    if not generation.temperatures:
        wrong.append((f"{at}.temperatures", "there is no temperature"))
    for place, each in enumerate(generation.temperatures):
        if not (math.isfinite(each) and each >= 0):
            wrong.append((f"{at}.temperatures[{place}]", f"must be at least 0, not {each:g}"))
        elif each in generation.temperatures[:place]:
            wrong.append((f"{at}.temperatures[{place}]", f"{each:g} is there twice"))
    if generation.top_p is not None and not 0 < generation.top_p <= 1:
        wrong.append((f"{at}.top_p", f"must be above 0 and at most 1, not {generation.top_p:g}"))
    if generation.max_tokens is not None and not 1 <= generation.max_tokens < 2**31:
        wrong.append((f"{at}.max_tokens", f"must be at least 1, not {generation.max_tokens}"))
    for place, text in enumerate(generation.stop):
        if not text:
            wrong.append((f"{at}.stop[{place}]", "must not be empty"))
    if not 0 <= generation.top_k < 2**31:
        wrong.append((f"{at}.top_k", f"must be at least 0, not {generation.top_k}"))
    if not 0 <= generation.min_p <= 1:
        wrong.append((f"{at}.min_p", f"must be between 0 and 1, not {generation.min_p:g}"))
    if not -(2**63) <= generation.seed < 2**63:
        wrong.append((f"{at}.seed", "doesn't fit in 64 bits"))
    if generation.early_stop is not None:
        wrong += _wrong_early_stop(generation.early_stop, generation.samples_per_problem)
    return wrong


def _wrong_early_stop(rule: EarlyStop, most: int) -> list[tuple[str, str]]:
    at = "job.generation.early_stop"
    wrong = []
    if not 0 <= rule.passes <= most:
        wrong.append((f"{at}.passes", f"must be between 1 and the samples per problem, {most}, not {rule.passes}"))
    if not 0 <= rule.interval_width < 1:
        wrong.append((f"{at}.interval_width", f"must be greater than 0 and less than 1, not {rule.interval_width:g}"))
    if not rule.passes and not rule.interval_width:
        wrong.append((at, "passes or interval_width must be set"))
    if not 0 <= rule.min_samples <= most:
        wrong.append(
            (f"{at}.min_samples", f"must be between 0 and the samples per problem, {most}, not {rule.min_samples}")
        )
    return wrong


def _generation(generation: Generation) -> job_pb2.Generation:
    return job_pb2.Generation(
        model=generation.model,
        temperatures=generation.temperatures,
        samples_per_problem=generation.samples_per_problem,
        top_p=generation.top_p,
        max_tokens=generation.max_tokens or 0,
        stop=generation.stop,
        seed=generation.seed,
        top_k=generation.top_k,
        min_p=generation.min_p,
        token_logprobs=generation.token_logprobs,
        prompt_form=convert.prompt_form(generation.prompt_form),
        weights_version=generation.weights_version,
        adapter=generation.adapter,
        early_stop=_early_stop(generation.early_stop) if generation.early_stop is not None else None,
    )


def _early_stop(rule: EarlyStop) -> job_pb2.EarlyStop:
    return job_pb2.EarlyStop(passes=rule.passes, interval_width=rule.interval_width, min_samples=rule.min_samples)


def _wrong_samples(samples: Sequence[types.RecordedSample], problems: str | Sequence[Problem]) -> list[tuple[str, str]]:
    if not samples:
        return [("job.recorded.samples", "there are no samples")]
    known = _DATASETS.get(problems) if isinstance(problems, str) else {each.problem_id for each in problems}
    wrong = []
    for place, each in enumerate(samples):
        at = f"job.recorded.samples[{place}]"
        if known is not None and each.problem_id not in known:
            wrong.append((f"{at}.problem_id", f"there is no problem {each.problem_id!r}"))
        too_large = wrong_completion(each.completion)
        if too_large:
            wrong.append((f"{at}.completion", too_large))
        if each.temperature is not None and not (math.isfinite(each.temperature) and each.temperature >= 0):
            wrong.append((f"{at}.temperature", f"must be at least 0, not {each.temperature:g}"))
    return wrong
