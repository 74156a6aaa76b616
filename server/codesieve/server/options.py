"""The front end's options as one frozen value, and the small checks on them. Pure: the environment is passed in."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """What `codesieve serve` was told."""

    listen: str
    metrics_listen: str | None
    sandbox: str
    image: str | None
    runtime: str | None
    isolation: str
    """"fork": a program is a fork in a warm cell, which is cleaned afterwards; "container": a cell of its own."""
    cells: int
    sandbox_workers: int
    cache_mib: int
    """How much of verdicts is kept for equal programs; 0 keeps none."""
    models: tuple[str, ...]
    replicas: int
    """Workers of each model."""
    tensor_parallel: int
    """GPUs that share each of vLLM's replicas."""
    max_lora_rank: int
    """Of the LoRA adapters that can be loaded; 0 for none."""
    store: str
    """Where jobs are kept: "memory", a file or a URL. It may hold a password."""
    retention_days: float
    """How long jobs are kept after their end; 0 for ever."""
    ray_address: str | None
    dedicated_nodes: bool
    """Whether the cluster's nodes say what they are for, and each worker waits for one of its kind."""
    drain_seconds: float
    trace_endpoint: str | None
    """Where spans are sent; None for nowhere."""
    trace_samples: float
    """The share of samples that have spans."""
    parent: int | None
    """The process without which the server stops, if there is one."""


def address(text: str) -> tuple[str, int]:
    """Host and port of "HOST:PORT". Raises ValueError that says what is wrong."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{text!r} is not an address; it must be HOST:PORT, for example 127.0.0.1:7420")
    return host.strip("[]"), int(port)


def fail_on_unknown(values: Mapping[str, Any], names: Collection[str], path: Path) -> dict[str, Any]:
    """A configuration file's values by the options' names. Raises ValueError for a name that is no option."""
    given: dict[str, Any] = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        name = "models" if name == "model" else name
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"{path}: there is no option {key!r}{hint}")
        # A repeatable option takes one value without the brackets, too.
        given[name] = [value] if name == "models" and isinstance(value, str) else value
    return given


def runtime_directory(environment: Mapping[str, str], user_id: int) -> Path:
    """Where sockets and locks of this machine's cells lie."""
    if user_id == 0:
        return Path("/run/codesieve")
    return Path(environment.get("XDG_RUNTIME_DIR") or f"/tmp/codesieve-{user_id}") / "codesieve"


def default_store(environment: Mapping[str, str], user_id: int) -> Path:
    """The file that jobs are kept in where nothing else was said."""
    if user_id == 0:
        return Path("/var/lib/codesieve/jobs.db")
    state = environment.get("XDG_STATE_HOME")
    # Relative paths are to be ignored, says the specification.
    base = Path(state) if state and state.startswith("/") else Path(environment.get("HOME", "/")) / ".local/state"
    return base / "codesieve/jobs.db"
