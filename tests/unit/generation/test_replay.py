"""The replay engine: which recorded sample is served, and what is said where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codesieve.workers.errors import EngineRequestRefused, EngineUnavailable, ModelNotFound
from codesieve.workers.generation.replay import ReplayEngine
from codesieve.workers.types import GenerationRequest


def _request(index: int, *, problem_id: str = "P/0", temperature: float = 0.8) -> GenerationRequest:
    return GenerationRequest(f"w{index}", problem_id, "def f():\n", temperature, index, seed=index)


def _engine(path: Path, *records: object) -> ReplayEngine:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return ReplayEngine(path)


async def test_the_index_picks_the_sample_in_the_files_order(tmp_path: Path) -> None:
    engine = _engine(
        tmp_path / "s.jsonl",
        {"task_id": "P/0", "completion": "a", "token_count": 3, "cumulative_logprob": -1.5},
        {"task_id": "P/1", "completion": "other"},
        {"task_id": "P/0", "completion": "b"},
    )
    await engine.start()
    first, second = await engine.generate(_request(0)), await engine.generate(_request(1))
    assert (first.work_id, first.completion, first.token_count, first.cumulative_logprob) == ("w0", b"a", 3, -1.5)
    assert (second.completion, second.token_count, second.cumulative_logprob) == (b"b", None, None)


async def test_a_recorded_temperature_serves_only_its_own_and_none_serves_any(tmp_path: Path) -> None:
    engine = _engine(
        tmp_path / "s.jsonl",
        {"task_id": "P/0", "completion": "cold", "temperature": 0.2},
        {"task_id": "P/0", "completion": "any"},
        {"task_id": "P/0", "completion": "warm", "temperature": 0.8},
    )
    await engine.start()
    served = {
        temperature: [(await engine.generate(_request(i, temperature=temperature))).completion for i in range(2)]
        for temperature in (0.2, 0.8)
    }
    assert served == {0.2: [b"cold", b"any"], 0.8: [b"any", b"warm"]}


@pytest.mark.parametrize("request_", [_request(2), _request(-1), _request(0, problem_id="P/9")])
async def test_more_than_recorded_is_refused_with_the_number_there_is(
    tmp_path: Path, request_: GenerationRequest
) -> None:
    record = {"task_id": "P/0", "completion": "a"}
    engine = _engine(tmp_path / "s.jsonl", record, record)
    await engine.start()
    there_are = 2 if request_.problem_id == "P/0" else 0
    with pytest.raises(EngineRequestRefused, match=f"holds {there_are} of them"):
        await engine.generate(request_)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2: Expecting"),
        ("[]", "line 2: a JSON object"),
        ('{"completion": "x"}', "line 2: task_id"),
        ('{"task_id": "P/0"}', "line 2: completion"),
        ('{"task_id": "P/0", "completion": "x", "temperature": "hot"}', "line 2: temperature"),
        ('{"task_id": "P/0", "completion": "x", "temperature": -1}', "line 2: temperature"),
        ('{"task_id": "P/0", "completion": "x", "token_count": 1.5}', "line 2: token_count"),
        ('{"task_id": "P/0", "completion": "x", "cumulative_logprob": true}', "line 2: cumulative_logprob"),
        ('{"task_id": "P/0", "completion": "x", "cumulative_logprob": NaN}', "line 2: cumulative_logprob"),
    ],
)
async def test_a_broken_line_is_named(tmp_path: Path, line: str, says: str) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text('{"task_id": "P/0", "completion": "x"}\n' + line + "\n")
    with pytest.raises(EngineUnavailable) as raised:
        await ReplayEngine(path).start()
    assert f"{path}, {says}" in raised.value.message


async def test_no_file_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"none\.jsonl"):
        await ReplayEngine(tmp_path / "none.jsonl").start()


async def test_blank_lines_and_half_a_surrogate_pair_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text('\n{"task_id": "P/0", "completion": "\\ud800\\u0000"}\n\n')
    engine = ReplayEngine(path)
    assert await engine.start() == f"1 recorded samples of 1 problems from {path}"
    generated = await engine.generate(_request(0))
    assert generated.completion == b"\xed\xa0\x80\x00"
