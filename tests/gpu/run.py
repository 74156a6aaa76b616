"""Runs the GPU's check on a machine that was lent, network or none, and writes down what it measured.

    python tests/gpu/run.py [--wheels DIRECTORY] [--model DIRECTORY] [--out DIRECTORY]

With --wheels a virtual environment is made of the wheels that were carried along (`pip download --dest DIRECTORY vllm
transformers pytest pytest-asyncio pytest-timeout` on a machine like it fills the directory); without, the Python that runs
this is used, with what is installed in it. Without --model a tiny random model is made. --out is $OUT where that is set,
else ./gpu-result; it gets result.json, result.md (a row of the README's table) and pytest's output.

Ends with status 0 if all was measured. Needs the standard library alone, and the repository around it.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("vllm", "transformers", "safetensors", "pytest", "pytest-asyncio", "pytest-timeout")
VERSIONS = ("vllm", "torch", "transformers")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description="Runs the GPU's check, and writes down what it measured.")
    made.add_argument("--wheels", type=Path, help="A directory of wheels to install from, with no network.")
    made.add_argument("--model", type=Path, help="A model's directory; without it a tiny random one is made.")
    made.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "gpu-result")), help="Where results go.")
    return made


def python_of(wheels: Path | None, out: Path) -> str:
    """The Python that has what is needed."""
    if wheels is None:
        return sys.executable
    # Not under `out`, which is carried back from the machine.
    home = out.resolve().parent / "gpu-venv"
    venv.create(home, with_pip=True, clear=True)
    python = str(home / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--no-index", "--find-links", str(wheels), *NEEDED], check=True)
    return python


def machine() -> str:
    """The GPU's name, memory and driver."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "no NVIDIA GPU"
    return "; ".join(told.stdout.strip().splitlines()) or "no NVIDIA GPU"


def versions(python: str) -> dict[str, str]:
    """Of the packages that make the difference; "" for one that isn't there."""
    program = (
        "import importlib.metadata as m, json, sys\n"
        "known = {d.metadata['Name'].lower(): d.version for d in m.distributions() if d.metadata['Name']}\n"
        "print(json.dumps({name: known.get(name, '') for name in sys.argv[1:]}))"
    )
    done = subprocess.run([python, "-c", program, *VERSIONS], capture_output=True, text=True, check=True)
    told: dict[str, str] = json.loads(done.stdout)
    return told | {"python": f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"}


def check(python: str, model: Path | None, out: Path) -> tuple[int, dict[str, Any]]:
    """Runs the tests: pytest's status, and the figures they left."""
    figures = out / "figures.json"
    figures.unlink(missing_ok=True)
    portions = os.pathsep.join(str(ROOT / part) for part in ("client", "server", "workers", "proto"))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (portions, str(ROOT), os.environ.get("PYTHONPATH")))),
        "CODESIEVE_GPU_FIGURES": str(figures.resolve()),
    }
    if model is not None:
        environment["CODESIEVE_GPU_MODEL"] = str(model.resolve())
    command = [python, "-m", "pytest", "tests/gpu", "-s", "-p", "no:cacheprovider"]
    with (out / "pytest.txt").open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.stdout is not None
        for line in process.stdout:
            output.write(line)
            sys.stdout.buffer.write(line)
            sys.stdout.flush()
        status = process.wait()
    found: dict[str, Any] = json.loads(figures.read_text()) if figures.exists() else {}
    figures.unlink(missing_ok=True)
    return status, found


def row(result: dict[str, Any]) -> str:
    """The result as a row of a Markdown table."""
    figures = result["figures"]
    throughput, update, sleep = (figures.get(name, {}) for name in ("throughput", "weight_update", "sleep"))
    rates = throughput.get("tokens_per_second", {})
    told = [
        ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items()) + " tokens/s" if rates else "not measured",
        f"{throughput['codesieve_to_best_of_vllm']:.3f}" if throughput else "not measured",
        f"{sum(update['seconds'].values()):.2f} s for {update['weights_bytes'] / 2**20:,.0f} MiB, "
        f"{update['samples_in_flight_after']} samples in flight" if update else "not measured",
        f"{sleep['sleep_seconds']:.2f} s, {sleep['wake_up_seconds']:.2f} s, {sleep['freed_bytes'] / 2**30:.1f} GiB"
        if sleep
        else "not measured",
    ]  # fmt: skip
    where = (result["date"], result["machine"], f"vLLM {result['versions']['vllm'] or 'missing'}", result["model"])
    return "| " + " | ".join((*where, *told)) + " |"


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if options.model is not None and not (options.model / "config.json").is_file():
        parser().error(f"--model: there is no config.json in {options.model}")
    if options.wheels is not None and not any(options.wheels.glob("*.whl")):
        parser().error(f"--wheels: there are no wheels in {options.wheels}")
    options.out.mkdir(parents=True, exist_ok=True)
    python = python_of(options.wheels, options.out)
    status, figures = check(python, options.model, options.out)
    result = {
        "machine": machine(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "versions": versions(python),
        "model": options.model.name if options.model else "tiny random Llama",
        "status": status,
        "figures": figures,
    }
    (options.out / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.out / "result.md").write_text(row(result) + "\n")
    sys.stdout.write(row(result) + "\n")
    complete = {"throughput", "weight_update", "sleep"} <= figures.keys()
    if not complete:
        sys.stderr.write("not everything was measured; pytest.txt says why\n")
    return 0 if status == 0 and complete else 1


if __name__ == "__main__":
    sys.exit(main())
