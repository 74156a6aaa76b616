"""Between ``codesieve.v1`` and `codesieve.client.types`: the only module that knows both, but for `server_convert`."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.duration_pb2 import Duration

from codesieve.client import types
from codesieve.client.errors import ServerError
from codesieve.client.problems import AssertionTests, FunctionTests, Problem, ScriptTests, StdioTests
from codesieve.client.provenance import CellsProvenance, EngineProvenance, Provenance
from codesieve.client.settings import EarlyStop, Sampling, Settings
from codesieve.v1 import job_pb2, judge_pb2, model_pb2, provenance_pb2, types_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
    from google.protobuf.timestamp_pb2 import Timestamp

NameT = TypeVar("NameT", bound=enum.StrEnum)


def enum_value(kind: type[NameT], wire: EnumTypeWrapper, number: int, prefix: str = "") -> NameT:
    """Raises `ServerError` for a value that this client doesn't know: guessing a verdict would be worse."""
    try:
        return kind(wire.Name(number).removeprefix(prefix))
    except ValueError:
        what = f"the server sent {kind.__name__} {number}, which this client doesn't know; upgrade the client"
        raise ServerError(what, reason="UNKNOWN_ENUM_VALUE") from None


def _enum_or_none(kind: type[NameT], wire: EnumTypeWrapper, number: int, prefix: str = "") -> NameT | None:
    return None if number == 0 else enum_value(kind, wire, number, prefix)


def _duration(seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration


def moment(wire: Timestamp) -> datetime.datetime:
    return wire.ToDatetime(tzinfo=datetime.UTC)


# What goes out.

_PROMPT_FORMS = {
    None: types_pb2.PROMPT_FORM_UNSPECIFIED,
    types.PromptForm.COMPLETION: types_pb2.PROMPT_FORM_COMPLETION,
    types.PromptForm.CHAT: types_pb2.PROMPT_FORM_CHAT,
}
_PRIORITIES = {
    None: types_pb2.PRIORITY_UNSPECIFIED,
    types.Priority.BATCH: types_pb2.PRIORITY_BATCH,
    types.Priority.INTERACTIVE: types_pb2.PRIORITY_INTERACTIVE,
}


def problem_source(problems: str | Sequence[Problem], limit: int = 0) -> types_pb2.ProblemSource:
    """A data set's name, or problems to send along; only the first `limit`, 0 for all."""
    if isinstance(problems, str):
        return types_pb2.ProblemSource(dataset=problems, limit=limit)
    taken = problems[:limit] if limit else problems
    return types_pb2.ProblemSource(inline=types_pb2.ProblemList(problems=[_problem(each) for each in taken]))


def _problem(problem: Problem) -> types_pb2.Problem:
    message = types_pb2.Problem(
        problem_id=problem.problem_id,
        prompt=types.to_bytes(problem.prompt),
        entry_point=problem.entry_point,
        canonical_solution=types.to_bytes(problem.canonical_solution or ""),
    )
    match problem.tests:
        case FunctionTests(check_function=source):
            message.check_function = types.to_bytes(source)
        case AssertionTests() as listed:
            message.assertions.CopyFrom(
                types_pb2.AssertionTests(
                    assertions=[types.to_bytes(each) for each in listed.assertions],
                    setup=types.to_bytes(listed.setup),
                )
            )
        case StdioTests() as stdio:
            message.stdio.CopyFrom(
                types_pb2.StdioTests(
                    cases=[types_pb2.StdioCase(stdin=each.stdin, stdout=each.stdout) for each in stdio.cases],
                    comparison=stdio.comparison.value,
                    tolerance=stdio.tolerance,
                    checker=types.to_bytes(stdio.checker),
                )
            )
        case ScriptTests() as file:
            message.script.CopyFrom(
                types_pb2.ScriptTests(
                    script=types.to_bytes(file.script), framework=file.framework.value, module=file.module
                )
            )
    return message


def prompt_form(value: types.PromptForm | None) -> types_pb2.PromptForm:
    return _PROMPT_FORMS[value]


def priority(value: types.Priority | None) -> types_pb2.Priority:
    return _PRIORITIES[value]


def limits(value: types.Limits | None) -> types_pb2.Limits | None:
    if value is None:
        return None
    return types_pb2.Limits(
        cpu_time_limit=_duration(value.cpu_time_seconds),
        wall_time_limit=_duration(value.wall_time_seconds),
        memory_limit_bytes=value.memory_bytes or 0,
        output_limit_bytes=value.output_bytes or 0,
        file_size_limit_bytes=value.file_size_bytes or 0,
        process_limit=value.processes or 0,
    )


def recorded_sample(sample: types.RecordedSample) -> types_pb2.Sample:
    return types_pb2.Sample(
        problem_id=sample.problem_id,
        completion=sample.completion,
        temperature=sample.temperature,
        token_count=sample.token_count,
        cumulative_logprob=sample.cumulative_logprob,
    )


def judge_item(item: types.JudgeItem) -> judge_pb2.JudgeRequest:
    return judge_pb2.JudgeRequest(
        item=judge_pb2.JudgeItem(id=item.id, problem_id=item.problem_id, completion=item.completion)
    )


# What comes in.


def judgement(wire: types_pb2.Judgement) -> types.Judgement:
    """Raises `ServerError` for a judgement with neither a verdict nor a reason for having none."""
    verdict: types.Verdict | None = None
    unjudged: types.Unjudged | None = None
    if wire.WhichOneof("outcome") == "unjudged":
        unjudged = types.Unjudged(wire.unjudged.reason, wire.unjudged.message)
    else:
        verdict = enum_value(types.Verdict, types_pb2.Judgement.Verdict, wire.verdict)
    return types.Judgement(
        verdict=verdict,
        unjudged=unjudged,
        integrity=_enum_or_none(types.Integrity, types_pb2.Judgement.Integrity, wire.integrity),
        cached=wire.cached,
        detail=wire.detail,
        wall_seconds=wire.wall_time.ToTimedelta().total_seconds(),
        cpu_seconds=wire.cpu_time.ToTimedelta().total_seconds(),
        peak_memory_bytes=wire.peak_memory_bytes,
        stdout=wire.stdout,
        stderr=wire.stderr,
        tests=tuple(_test_result(each) for each in wire.tests),
    )


def _test_result(wire: types_pb2.TestResult) -> types.TestResult:
    return types.TestResult(
        name=types.to_text(wire.name),
        verdict=enum_value(types.Verdict, types_pb2.Judgement.Verdict, wire.verdict)
        if wire.HasField("verdict")
        else None,
        detail=wire.detail,
        input=wire.input,
        output=wire.output,
        wall_seconds=wire.wall_time.ToTimedelta().total_seconds(),
    )


def judged(wire: judge_pb2.JudgeResponse) -> types.Judged:
    return types.Judged(wire.id, judgement(wire.judgement))


def sample(wire: types_pb2.Sample) -> types.Sample:
    return types.Sample(
        sample_id=wire.sample_id,
        problem_id=wire.problem_id,
        temperature=wire.temperature if wire.HasField("temperature") else None,
        index=wire.index,
        completion=wire.completion,
        token_count=wire.token_count if wire.HasField("token_count") else None,
        cumulative_logprob=wire.cumulative_logprob if wire.HasField("cumulative_logprob") else None,
        finish_reason=_enum_or_none(types.FinishReason, types_pb2.Sample.FinishReason, wire.finish_reason),
        token_logprobs=tuple(wire.token_logprobs) or None,
        prompt_form=_enum_or_none(types.PromptForm, types_pb2.PromptForm, wire.prompt_form, "PROMPT_FORM_"),
        answer=wire.answer if wire.HasField("answer") else None,
        reasoning=wire.reasoning if wire.HasField("reasoning") else None,
        weights_version=wire.weights_version,
        adapter=wire.adapter,
    )


def job(wire: job_pb2.Job) -> types.Job:
    return types.Job(
        name=wire.name,
        state=enum_value(types.JobState, job_pb2.Job.State, wire.state),
        model=wire.generation.model,
        create_time=moment(wire.create_time) if wire.HasField("create_time") else None,
        start_time=moment(wire.start_time) if wire.HasField("start_time") else None,
        end_time=moment(wire.end_time) if wire.HasField("end_time") else None,
        progress=progress(wire.progress) if wire.HasField("progress") else None,
        report=_report(wire.report) if wire.HasField("report") else None,
        failure=types.Failure(wire.failure.reason, wire.failure.message) if wire.HasField("failure") else None,
        priority=_enum_or_none(types.Priority, types_pb2.Priority, wire.priority, "PRIORITY_"),
        timeout_seconds=wire.timeout.ToTimedelta().total_seconds() if wire.HasField("timeout") else None,
        rejudge_of=wire.rejudge_of.removeprefix("jobs/"),
        counted_samples_per_problem=wire.counted_samples_per_problem,
        settings=_settings(wire) if wire.HasField("limits") else None,
        provenance=_provenance(wire.provenance) if wire.HasField("provenance") else None,
    )


def _provenance(wire: provenance_pb2.Provenance) -> Provenance:
    engine, cells = wire.engine, wire.cells
    return Provenance(
        wire.codesieve_version,
        wire.problems_digest,
        EngineProvenance(
            engine.kind,
            engine.version,
            engine.source,
            engine.weights_version,
            engine.weights_digest,
            {each.name: each.value for each in engine.settings},
        )
        if wire.HasField("engine")
        else None,
        CellsProvenance(**{field.name: getattr(cells, field.name) for field in dataclasses.fields(CellsProvenance)})
        if wire.HasField("cells")
        else None,
        tuple((each.field, each.earlier) for each in wire.changes),
    )


def _settings(wire: job_pb2.Job) -> Settings:
    return Settings(
        dataset=wire.problems.dataset,
        limit=wire.problems.limit,
        k=tuple(wire.k),
        limits=types.Limits(
            cpu_time_seconds=wire.limits.cpu_time_limit.ToTimedelta().total_seconds(),
            wall_time_seconds=wire.limits.wall_time_limit.ToTimedelta().total_seconds(),
            memory_bytes=wire.limits.memory_limit_bytes,
            output_bytes=wire.limits.output_limit_bytes,
            file_size_bytes=wire.limits.file_size_limit_bytes,
            processes=wire.limits.process_limit,
        ),
        sampling=_sampling(wire.generation) if wire.HasField("generation") else None,
    )


def _sampling(wire: job_pb2.Generation) -> Sampling:
    return Sampling(
        model=wire.model,
        temperatures=tuple(wire.temperatures),
        samples_per_problem=wire.samples_per_problem,
        top_p=wire.top_p,
        max_tokens=wire.max_tokens,
        stop=tuple(wire.stop),
        seed=wire.seed,
        top_k=wire.top_k,
        min_p=wire.min_p,
        token_logprobs=wire.token_logprobs,
        prompt_form=_enum_or_none(types.PromptForm, types_pb2.PromptForm, wire.prompt_form, "PROMPT_FORM_"),
        weights_version=wire.weights_version,
        adapter=wire.adapter,
        early_stop=EarlyStop(wire.early_stop.passes, wire.early_stop.interval_width, wire.early_stop.min_samples)
        if wire.HasField("early_stop")
        else None,
    )


def progress(wire: job_pb2.Progress) -> types.Progress:
    return types.Progress(
        samples_total=wire.samples_total,
        generated=wire.samples_generated,
        judged=wire.samples_judged,
        unjudged=wire.samples_unjudged,
        verdicts=dict(wire.verdicts),
        skipped=wire.samples_skipped,
    )


def _report(wire: job_pb2.Report) -> types.Report:
    judge = wire.judge
    return types.Report(
        temperatures=tuple(_temperature_report(each) for each in wire.temperatures),
        judge=types.JudgeReport(judge.programs_per_second, judge.wall_seconds, judge.sandbox)
        if wire.HasField("judge")
        else None,
    )


def _temperature_report(wire: job_pb2.TemperatureReport) -> types.TemperatureReport:
    return types.TemperatureReport(
        temperature=wire.temperature if wire.HasField("temperature") else None,
        samples=wire.samples,
        pass_at_k=tuple(
            types.PassAtK(
                k=each.k,
                value=each.value,
                interval=(each.interval_low, each.interval_high)
                if each.HasField("interval_low") and each.HasField("interval_high")
                else None,
                problems=each.problems,
            )
            for each in wire.pass_at_k
        ),
        ranking=_ranking(wire.ranking) if wire.HasField("ranking") else None,
        early_stop=types.EarlyStopReport(
            wire.samples_planned, wire.samples_saved, wire.samples_surplus, wire.problems_stopped
        )
        if wire.samples_planned
        else None,
    )


def _ranking(wire: job_pb2.Ranking) -> types.Ranking:
    return types.Ranking(
        mean_logprob=wire.mean_logprob if wire.HasField("mean_logprob") else None,
        sum_logprob=wire.sum_logprob if wire.HasField("sum_logprob") else None,
        random=wire.random,
        oracle=wire.oracle,
        problems=wire.problems,
    )


def job_page(wire: job_pb2.ListJobsResponse) -> types.JobPage:
    return types.JobPage(tuple(job(each) for each in wire.jobs), wire.next_page_token)


def event(wire: job_pb2.JobEvent) -> types.Event | None:
    """None for a kind of event that is newer than this client."""
    time = moment(wire.time) if wire.HasField("time") else None
    match wire.WhichOneof("event"):
        case "job":
            return types.JobChanged(wire.sequence, time, job(wire.job))
        case "sample_generated":
            return types.SampleGenerated(wire.sequence, time, sample(wire.sample_generated))
        case "sample_judged":
            told = wire.sample_judged
            return types.SampleJudged(wire.sequence, time, told.sample_id, judgement(told.judgement))
    return None


def model(wire: model_pb2.Model) -> types.Model:
    return types.Model(
        name=wire.name,
        source=wire.source,
        engine=wire.engine,
        state=enum_value(types.ModelState, model_pb2.Model.State, wire.state),
        workers=wire.workers,
        weights_version=wire.weights_version,
        adapters=tuple((each.adapter, each.directory) for each in wire.adapters),
    )
