"""How a run came about, as far as the server tells and this command knows: what report.json keeps under "provenance".

What nobody tells is null, never guessed: an older server tells little.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from codesieve.client import types
from codesieve.client.cli import common, connecting, results
from codesieve.client.errors import CodesieveError, TryLater
from codesieve.client.sync_client import Client

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Known:
    """What the command knows besides: its server, its file of problems, what it chose of the sandbox."""

    server: str | None = None
    """None for an embedded one."""
    embedded: bool = False
    problems: str | None = None
    """The file; None for a data set of the server's."""
    sandbox: Mapping[str, str | None] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, server: connecting.Server | None, problems: common.Problems, embedding: connecting.Embedding) -> Self:
        """Of a command that had the job made."""
        return cls(
            None if server is None else server.target,
            server is None,
            None if problems.file is None else problems.file.path,
            {"isolation": embedding.isolation, "image": embedding.image} if server is None else {},
        )


def collect(client: Client, job: types.Job, known: Known) -> Row:
    """Everything that is told of a job that has ended."""
    settings = job.settings
    sampling = settings.sampling if settings is not None else None
    version = _version()
    judge = job.report.judge if job.report is not None else None
    served = results.provenance(job.provenance)
    return {
        "codesieve": {"client": version, "server": served.get("codesieve") or (version if known.embedded else None)},
        "server": known.server,
        "job": job.job_id,
        "rejudge_of": job.rejudge_of or None,
        "counted_samples_per_problem": job.counted_samples_per_problem or None,
        "create_time": results.time(job.create_time),
        "start_time": results.time(job.start_time),
        "end_time": results.time(job.end_time),
        "problems": {
            "dataset": (settings.dataset or None) if settings is not None else None,
            "file": None if known.problems is None else str(Path(known.problems).absolute()),
            "sha256": None if known.problems is None else digest(known.problems),
            "limit": settings.limit if settings is not None else None,
            "digest": served.get("problems"),
        },
        "model": _model(client, sampling.model if sampling is not None else "", served.get("engine") or {}),
        "generation": None if sampling is None else {**dataclasses.asdict(sampling), "stop": list(sampling.stop)},
        "k": list(settings.k) if settings is not None else None,
        "limits": dataclasses.asdict(settings.limits) if settings is not None else None,
        "sandbox": {"backend": judge.sandbox if judge is not None else None, **known.sandbox},
        "engine": served.get("engine"),
        "cells": served.get("cells"),
        "changes": served.get("changes", []),
    }


def _version() -> str | None:
    try:
        return importlib.metadata.version("codesieve")
    except importlib.metadata.PackageNotFoundError:  # run from a source tree
        return None


def digest(path: str) -> str:
    """The SHA-256 of a file. Raises OSError."""
    with open(path, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _model(client: Client, name: str, engine: Row) -> Row | None:
    """The model as the server lists it now; as the job tells it where it doesn't any more."""
    if not name:
        return None
    try:
        found = next((each for each in client.models.list() if each.name == f"models/{name}"), None)
    except TryLater:
        raise
    except CodesieveError:  # a token may be let see jobs and not models
        found = None
    if found is None:
        return {"model": name, "source": engine.get("source"), "engine": engine.get("kind"), "workers": None}
    listed = results.model(found)
    return {each: listed[each] for each in ("model", "source", "engine", "workers")}
