"""A job's provenance as a message of the wire."""

from __future__ import annotations

from codesieve.server.jobs.provenance import Provenance
from codesieve.v1 import provenance_pb2


def message(value: Provenance) -> provenance_pb2.Provenance:
    cells, engine, kind = value.cells, value.engine, provenance_pb2.Provenance
    return kind(
        codesieve_version=value.codesieve_version,
        problems_digest=value.problems_digest,
        engine=None
        if engine is None
        else kind.Engine(
            kind=engine.kind,
            version=engine.version,
            source=_line(engine.source),
            weights_version=_line(engine.weights_version),
            weights_digest=engine.weights_digest,
            settings=[kind.Setting(name=each.name, value=_line(each.value)) for each in engine.settings],
        ),
        cells=kind.Cells(
            backend=cells.backend,
            judge_version=cells.judge_version,
            image=_line(cells.image),
            image_digest=cells.image_digest,
            python_version=_line(cells.python_version),
            runtime=_line(cells.runtime),
            isolation=cells.isolation,
        ),
        changes=[kind.Change(field=each.field, earlier=_line(each.earlier)) for each in value.changes],
    )


def _line(text: str) -> str:
    """A path may hold bytes that aren't text, which a proto string doesn't take."""
    return text.encode("utf-8", "replace").decode()
