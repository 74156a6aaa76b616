"""What clients get: the domain's values as messages of the wire."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Sequence

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from codesieve.server.convert import provenance
from codesieve.server.evaluation.report import TemperatureReport
from codesieve.server.evaluation.stopping import EarlyStop
from codesieve.server.jobs.model import (
    GenerationSpec,
    Job,
    JobChanged,
    JobEvent,
    Progress,
    Report,
    SampleGenerated,
)
from codesieve.server.models import Model
from codesieve.server.sharing import Priority
from codesieve.v1 import job_pb2, model_pb2, types_pb2
from codesieve.workers.types import Judgement, Limits, PromptForm, Sample, TestResult, WorkFailed

_PROMPT_FORMS = {
    PromptForm.COMPLETION: types_pb2.PROMPT_FORM_COMPLETION,
    PromptForm.CHAT: types_pb2.PROMPT_FORM_CHAT,
}
_PRIORITIES = {Priority.BATCH: types_pb2.PRIORITY_BATCH, Priority.INTERACTIVE: types_pb2.PRIORITY_INTERACTIVE}


def job(value: Job) -> job_pb2.Job:
    """A job without what it was sent: inline problems and recorded samples stay out."""
    spec = value.spec
    message = job_pb2.Job(
        name=f"jobs/{value.job_id}",
        state=value.state.value,
        limits=_limits(spec.limits),
        k=spec.ks,
        create_time=timestamp(value.create_time),
        progress=progress(value.progress),
        priority=_PRIORITIES[spec.priority],
        rejudge_of=f"jobs/{spec.rejudge_of}" if spec.rejudge_of else "",
        counted_samples_per_problem=spec.counted_samples_per_problem,
    )
    if spec.timeout_seconds is not None:
        message.timeout.CopyFrom(duration(spec.timeout_seconds))
    message.problems.limit = spec.limit
    if spec.source != "inline":
        message.problems.dataset = spec.source
    else:
        message.problems.inline.SetInParent()
    if spec.generation is not None:
        message.generation.CopyFrom(_generation(spec.generation))
    else:
        message.recorded.SetInParent()
    if value.start_time is not None:
        message.start_time.CopyFrom(timestamp(value.start_time))
    if value.end_time is not None:
        message.end_time.CopyFrom(timestamp(value.end_time))
    if value.report is not None:
        message.report.CopyFrom(_report(value.report))
    if value.provenance is not None:
        message.provenance.CopyFrom(provenance.message(value.provenance))
    if value.failure is not None:
        message.failure.CopyFrom(job_pb2.Failure(reason=value.failure.reason, message=value.failure.message))
    return message


def page(jobs: Sequence[Job], size: int) -> job_pb2.ListJobsResponse:
    """One page of jobs, which holds at most `size`; a full one may have another after it."""
    last = jobs[-1].job_id if len(jobs) == size else None
    token = base64.urlsafe_b64encode(last.encode()).decode() if last else ""
    return job_pb2.ListJobsResponse(jobs=[job(value) for value in jobs], next_page_token=token)


def event(value: JobEvent) -> job_pb2.JobEvent:
    message = job_pb2.JobEvent(sequence=value.sequence, time=timestamp(value.time))
    happening = value.happening
    if isinstance(happening, JobChanged):
        message.job.CopyFrom(job(happening.job))
    elif isinstance(happening, SampleGenerated):
        message.sample_generated.CopyFrom(_sample(happening.sample))
    else:
        message.sample_judged.CopyFrom(
            job_pb2.SampleJudged(sample_id=happening.sample_id, judgement=judgement(happening.outcome))
        )
    return message


def judgement(outcome: Judgement | WorkFailed) -> types_pb2.Judgement:
    """A verdict, or the reason why there is none."""
    if isinstance(outcome, WorkFailed):
        return types_pb2.Judgement(unjudged=types_pb2.Unjudged(reason=outcome.reason, message=line(outcome.message)))
    return types_pb2.Judgement(
        verdict=outcome.verdict.value,
        integrity=outcome.integrity.value,
        cached=outcome.cached,
        detail=line(outcome.detail),
        wall_time=duration(outcome.wall_seconds),
        cpu_time=duration(outcome.cpu_seconds),
        peak_memory_bytes=outcome.peak_memory_bytes,
        stdout=outcome.stdout,
        stderr=outcome.stderr,
        tests=[_test(one) for one in outcome.tests],
    )


def model(value: Model) -> model_pb2.Model:
    return model_pb2.Model(
        name=f"models/{value.model_id}",
        source=value.source,
        engine=value.engine,
        state=value.state.value,
        workers=value.workers,
        weights_version=value.weights_version,
        adapters=[model_pb2.Adapter(adapter=name, directory=directory) for name, directory in value.adapters],
    )


def _test(value: TestResult) -> types_pb2.TestResult:
    return types_pb2.TestResult(
        name=value.name.encode("utf-8", "surrogatepass"),
        verdict=value.verdict.value if value.verdict else None,
        detail=line(value.detail),
        input=value.input,
        output=value.output,
        wall_time=duration(value.wall_seconds),
    )


def line(text: str) -> str:
    """A line that a proto string takes: a program's exception may hold lone surrogates, which it doesn't."""
    return text.encode("utf-8", "replace").decode()


def _sample(value: Sample) -> types_pb2.Sample:
    return types_pb2.Sample(
        sample_id=value.sample_id,
        problem_id=value.problem_id,
        temperature=value.temperature,
        index=value.index,
        completion=value.completion,
        token_count=value.token_count,
        cumulative_logprob=value.cumulative_logprob,
        finish_reason=value.finish_reason.value if value.finish_reason else None,
        token_logprobs=value.token_logprobs,
        prompt_form=_PROMPT_FORMS[value.prompt_form] if value.prompt_form else None,
        answer=value.answer,
        reasoning=value.reasoning,
        weights_version=value.weights_version or "",
        adapter=value.adapter or "",
    )


def _generation(value: GenerationSpec) -> job_pb2.Generation:
    return job_pb2.Generation(
        model=value.model,
        temperatures=value.temperatures,
        samples_per_problem=value.samples_per_problem,
        top_p=value.top_p,
        max_tokens=value.max_tokens,
        stop=value.stop,
        seed=value.seed,
        top_k=value.top_k,
        min_p=value.min_p,
        token_logprobs=value.token_logprobs,
        prompt_form=_PROMPT_FORMS[value.prompt_form],
        early_stop=_early_stop(value.early_stop) if value.early_stop is not None else None,
        weights_version=value.weights_version,
        adapter=value.adapter,
    )


def _early_stop(value: EarlyStop) -> job_pb2.EarlyStop:
    return job_pb2.EarlyStop(passes=value.passes, interval_width=value.interval_width, min_samples=value.min_samples)


def progress(value: Progress) -> job_pb2.Progress:
    return job_pb2.Progress(
        samples_total=value.samples_total,
        samples_generated=value.samples_generated,
        samples_judged=value.samples_judged,
        samples_unjudged=value.samples_unjudged,
        verdicts=value.verdicts,
        samples_skipped=value.samples_skipped,
    )


def _limits(value: Limits) -> types_pb2.Limits:
    return types_pb2.Limits(
        cpu_time_limit=duration(value.cpu_time_seconds),
        wall_time_limit=duration(value.wall_time_seconds),
        memory_limit_bytes=value.memory_bytes,
        output_limit_bytes=value.output_bytes,
        file_size_limit_bytes=value.file_size_bytes,
        process_limit=value.processes,
    )


def _report(value: Report) -> job_pb2.Report:
    return job_pb2.Report(
        temperatures=[_temperature(one) for one in value.temperatures],
        judge=job_pb2.JudgeReport(
            programs_per_second=value.judge.programs_per_second,
            wall_seconds=value.judge.wall_seconds,
            sandbox=value.judge.sandbox,
        ),
    )


def _temperature(value: TemperatureReport) -> job_pb2.TemperatureReport:
    message = job_pb2.TemperatureReport(
        temperature=value.temperature,
        samples=value.samples,
        pass_at_k=[
            job_pb2.PassAtK(
                k=one.k,
                value=one.value,
                interval_low=one.interval_low,
                interval_high=one.interval_high,
                problems=one.problems,
            )
            for one in value.pass_at_k
        ],
        samples_planned=value.samples_planned,
        samples_saved=value.samples_saved,
        samples_surplus=value.samples_surplus,
        problems_stopped=value.problems_stopped,
    )
    if value.ranking is not None:
        message.ranking.CopyFrom(
            job_pb2.Ranking(
                mean_logprob=value.ranking.mean_logprob,
                sum_logprob=value.ranking.sum_logprob,
                random=value.ranking.random,
                oracle=value.ranking.oracle,
                problems=value.ranking.problems,
            )
        )
    return message


def duration(seconds: float) -> Duration:
    message = Duration()
    message.FromNanoseconds(round(seconds * 1e9))
    return message


def timestamp(value: datetime.datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(value)
    return message
