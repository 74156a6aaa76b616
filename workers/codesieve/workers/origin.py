"""What a worker says of where its results come from: enough to know whether another run had the same.

Every value is text for people and programs alike, empty where it isn't known; nothing is guessed.
"""

from __future__ import annotations

import dataclasses

OWN_PYTHON = "this machine's own Python"
"""The image of cells that no image was named for."""


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """One of an engine's settings."""

    name: str
    value: str


@dataclasses.dataclass(frozen=True, slots=True)
class EngineOrigin:
    """An engine, and how it was set."""

    version: str = ""
    """Of the software that samples."""
    settings: tuple[Setting, ...] = ()
    """What changes the samples, or might: in the engine's own order."""


@dataclasses.dataclass(frozen=True, slots=True)
class CellOrigin:
    """What decides verdicts, and where programs run."""

    judge_version: str = ""
    """A digest over the judge's sources: another one may decide otherwise."""
    image: str = ""
    """The image that was named, or `OWN_PYTHON`."""
    image_digest: str = ""
    """Of what is in it. The engine's digest for an image that was named, a digest over all files for `OWN_PYTHON`."""
    python_version: str = ""
    """In the cell."""
    runtime: str = ""
    """The container runtime that was named."""
    isolation: str = ""
    """"fork" or "container"."""


def settings(**values: object) -> tuple[Setting, ...]:
    """Those that are known, in their order."""
    return tuple(Setting(name, str(value)) for name, value in values.items() if value not in (None, ""))
