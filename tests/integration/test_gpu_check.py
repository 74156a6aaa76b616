"""The parts of the GPU's check (`tests/gpu`) that need no GPU: the tiny model, the sampling process on a CPU, the trainer's
calls, and the script that writes down what was measured."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.gpu import run, tiny_model
from tests.gpu.sampling import KINDS
from tests.gpu.trainer import Caller, weights_of

# Importing torch and vLLM warns of much that isn't ours to mend.
needs_vllm = (pytest.mark.vllm, pytest.mark.filterwarnings("ignore"))


def _marked(test: Any) -> Any:
    for mark in needs_vllm:
        test = mark(test)
    return test


@_marked
def test_a_seed_makes_the_same_tiny_model_again(tmp_path: Path) -> None:
    def weights(name: str, seed: int) -> list[bytes]:
        made = dict(weights_of(tiny_model.make(tmp_path / name, seed), "cpu"))
        return [made[key].float().numpy().tobytes() for key in sorted(made)]

    first = weights("first", 0)
    assert len(first) > 30
    assert weights("again", 0) == first
    assert weights("other", 1) != first


@_marked
def test_codesieve_and_vllm_alone_do_the_same_work(tmp_path: Path) -> None:
    model = tiny_model.make(tmp_path / "tiny")
    told: dict[str, Any] = {}
    small = ("--problems", "2", "--samples", "3", "--max-tokens", "12", "--rounds", "1")
    for kind in KINDS:
        command = [sys.executable, "-m", "tests.gpu.sampling", kind, str(model), *small]
        done = subprocess.run(command, cwd=run.ROOT, capture_output=True, text=True, check=False, timeout=250)
        assert done.returncode == 0, done.stderr[-2000:]
        told[kind] = json.loads(done.stdout.splitlines()[-1])
    assert {kind: len(one["rounds"]) for kind, one in told.items()} == dict.fromkeys(KINDS, 1)
    # No stop sequences: a sample is as long as it may be, unless the model ends the text.
    assert all(0 < one["rounds"][0]["tokens"] <= 2 * 3 * 12 for one in told.values())
    assert len({one["greedy"] for one in told.values()}) == 1
    assert told["codesieve"]["greedy"]


def test_a_trainers_call_is_a_line_and_waits_for_one() -> None:
    calls = io.StringIO()
    caller = Caller(io.StringIO("done\ndone\n"), calls)
    caller.init_weight_transfer_engine({"packed": False})
    caller.start_weight_update()
    with pytest.raises(SystemExit, match="nobody answers"):
        caller.finish_weight_update()
    asked = [json.loads(line) for line in calls.getvalue().splitlines()]
    assert [one["call"] for one in asked] == ["init_weight_transfer", "start_weight_update", "finish_weight_update"]
    assert asked[0]["options"] == {"init_info": {"packed": False}}


RESULT: dict[str, Any] = {
    "machine": "NVIDIA H200, 143771 MiB, 580.1",
    "date": "2026-01-01",
    "versions": {"vllm": "0.32.0"},
    "model": "tiny random Llama",
    "figures": {
        "throughput": {
            "tokens_per_second": {"codesieve": 20000.4, "vllm": 20100.0},
            "codesieve_to_best_of_vllm": 0.995,
        },
        "weight_update": {"seconds": {"a": 0.5, "b": 0.25}, "weights_bytes": 3 * 2**20, "samples_in_flight_after": 7},
        "sleep": {"sleep_seconds": 1.0, "wake_up_seconds": 0.5, "freed_bytes": 2**31},
    },
}


def test_a_result_is_one_row_of_a_table() -> None:
    assert run.row(RESULT) == (
        "| 2026-01-01 | NVIDIA H200, 143771 MiB, 580.1 | vLLM 0.32.0 | tiny random Llama | codesieve 20,000, vllm 20,100 "
        "tokens/s | 0.995 | 0.75 s for 3 MiB, 7 samples in flight | 1.00 s, 0.50 s, 2.0 GiB |"
    )
    row = run.row({**RESULT, "figures": {}, "versions": {"vllm": ""}})
    assert row.endswith("| vLLM missing | tiny random Llama |" + " not measured |" * 4)


@pytest.mark.parametrize("option", ["--wheels", "--model"])
def test_what_is_not_there_is_said_before_anything_is_run(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run.main([option, str(tmp_path / "missing"), "--out", str(tmp_path / "out")])
    assert ended.value.code == 2
    assert f"{option}: there " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_machine_without_a_gpu_measures_nothing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi
    done = subprocess.run(
        [sys.executable, "tests/gpu/run.py", "--out", str(tmp_path)],
        cwd=run.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["machine"], result["figures"]) == ("no NVIDIA GPU", {})
    assert "SKIPPED [3]" in (tmp_path / "pytest.txt").read_text()
