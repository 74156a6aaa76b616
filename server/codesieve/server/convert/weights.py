"""What clients ask ModelService to do to a model's weights, checked and turned into plain values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

from codesieve.server.convert.fields import LABEL_FORM, is_label
from codesieve.server.errors import InvalidRequest, Violation
from codesieve.server.weights import SLEEP_TAGS
from codesieve.v1 import model_pb2
from codesieve.workers.types import PauseMode

MAX_DIRECTORY = 1024

_MODES = {
    model_pb2.PauseGenerationRequest.MODE_UNSPECIFIED: PauseMode.ABORT,
    model_pb2.PauseGenerationRequest.ABORT: PauseMode.ABORT,
    model_pb2.PauseGenerationRequest.WAIT: PauseMode.WAIT,
    model_pb2.PauseGenerationRequest.KEEP: PauseMode.KEEP,
}


class NamesModel(Protocol):
    """A request about a model."""

    name: str


def model_of(request: NamesModel) -> str:
    """The id in "models/{model_id}"."""
    return request.name.removeprefix("models/")


def transfer_options(request: model_pb2.WeightTransferRequest) -> dict[str, object]:
    """What vLLM's call takes."""
    try:
        options = json.loads(request.options_json or b"{}")
    except ValueError as error:
        raise InvalidRequest([Violation("options_json", f"is not JSON: {error}")]) from error
    except RecursionError as error:
        raise InvalidRequest([Violation("options_json", "is nested too deep")]) from error
    if not isinstance(options, dict):
        raise InvalidRequest([Violation("options_json", "must be a JSON object")])
    return options


def weights_version(request: model_pb2.WeightTransferRequest | model_pb2.LoadWeightsRequest) -> str:
    """What new weights are to be called; "" has them counted."""
    if request.weights_version and not is_label(request.weights_version):
        raise InvalidRequest([Violation("weights_version", f"{LABEL_FORM}, not {request.weights_version[:80]!r}")])
    return request.weights_version


def directory(request: model_pb2.LoadWeightsRequest | model_pb2.LoadAdapterRequest) -> str:
    """An absolute path on the workers."""
    path = request.directory
    if not (path.startswith("/") and path.isprintable() and len(path) <= MAX_DIRECTORY):
        raise InvalidRequest([Violation("directory", "must be an absolute path on the workers")])
    return path


def adapter(request: model_pb2.LoadAdapterRequest | model_pb2.UnloadAdapterRequest) -> str:
    """An adapter's name."""
    if not is_label(request.adapter):
        raise InvalidRequest([Violation("adapter", f"{LABEL_FORM}, not {request.adapter[:80]!r}")])
    return request.adapter


def pause_mode(request: model_pb2.PauseGenerationRequest) -> PauseMode:
    if request.mode not in _MODES:
        raise InvalidRequest([Violation("mode", f"must be ABORT, WAIT or KEEP, not {request.mode}")])
    return _MODES[request.mode]


def sleep_level(request: model_pb2.SleepRequest) -> int:
    if not 0 <= request.level <= 2:
        raise InvalidRequest([Violation("level", f"must be 1 or 2, not {request.level}")])
    return request.level or 1


def wake_tags(request: model_pb2.WakeUpRequest) -> Sequence[str]:
    """Empty for all."""
    for i, tag in enumerate(request.tags):
        if tag not in SLEEP_TAGS:
            raise InvalidRequest([Violation(f"tags[{i}]", f"must be weights or kv_cache, not {tag[:80]!r}")])
    return tuple(request.tags)
