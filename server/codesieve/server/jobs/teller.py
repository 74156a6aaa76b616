"""Who tells a job's provenance: what this front end and its workers have now, cut to what is kept."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Callable, Iterable, Sequence

from codesieve.server.errors import ServiceError
from codesieve.server.jobs.provenance import Cells, Engine, Provenance
from codesieve.server.models import ModelRegistry
from codesieve.workers.origin import CellOrigin, EngineOrigin, Setting
from codesieve.workers.types import WorkerInfo

MAX_SETTINGS = 32
MAX_NAME = 64
MAX_VALUE = 200


class Teller:
    """Tells what this front end has now."""

    def __init__(self, models: ModelRegistry, cells: Callable[[], Sequence[WorkerInfo]]) -> None:
        """`cells` gives what the sandbox's workers say of themselves."""
        self._models = models
        self._cells = cells

    async def tell(self, model: str | None, problems_digest: str) -> Provenance:
        """For a job that samples from `model`, or whose samples were recorded.

        The model's workers are asked which weights they have.
        """
        infos = self._cells()
        origins = [info.origin for info in infos if isinstance(info.origin, CellOrigin)]
        told = {
            field.name: _joined(getattr(each, field.name) for each in origins)
            for field in dataclasses.fields(CellOrigin)
        }
        return Provenance(
            version(),
            problems_digest,
            None if model is None else await self._engine(model),
            Cells(_joined(info.kind for info in infos), **told),
        )

    async def _engine(self, name: str) -> Engine:
        try:
            model, (weights, pool) = self._models.get(name), self._models.weights(name)
        except ServiceError:  # it isn't here any more, which the job itself will say
            return Engine()
        weights_digest = await weights.digest(pool)  # of the version that `model` says: nothing was waited for since
        origins = [member.info.origin for member in pool.seen() if isinstance(member.info.origin, EngineOrigin)]
        names = dict.fromkeys(each.name for one in origins for each in one.settings)
        values = [{each.name: each.value for each in one.settings} for one in origins]
        return Engine(
            model.engine,
            _joined(one.version for one in origins),
            _without_password(model.source)[:MAX_VALUE],
            model.weights_version[:MAX_VALUE],
            weights_digest[:MAX_VALUE],
            tuple(
                Setting(each[:MAX_NAME], _joined(one.get(each, "") for one in values))
                for each in list(names)[:MAX_SETTINGS]
            ),
        )


def version() -> str:
    """codesieve's; empty where it isn't installed but run from its sources."""
    try:
        return importlib.metadata.version("codesieve")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _joined(values: Iterable[str]) -> str:
    """Of several workers: what all have, or all that any has."""
    return ", ".join(dict.fromkeys(filter(None, values)))[:MAX_VALUE]


def _without_password(source: str) -> str:
    scheme, separator, rest = source.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}" if separator else source
