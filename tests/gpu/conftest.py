"""The models of the GPU's check, and the figures it leaves."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gpu import tiny_model

MODEL = "CODESIEVE_GPU_MODEL"
"""A model's directory; without it a tiny random one is made."""
FIGURES = "CODESIEVE_GPU_FIGURES"
"""The file in which the figures are left."""


@pytest.fixture(scope="session")
def figures() -> Iterator[dict[str, Any]]:
    """What is measured, by its name."""
    measured: dict[str, Any] = {}
    yield measured
    if FIGURES in os.environ:
        Path(os.environ[FIGURES]).write_text(json.dumps(measured))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is sampled from."""
    given = os.environ.get(MODEL)
    return Path(given) if given else tiny_model.make(tmp_path_factory.mktemp("tiny"), seed=0)


@pytest.fixture(scope="session")
def trained(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of an update: other ones for the tiny model, a given model's own."""
    return model if os.environ.get(MODEL) else tiny_model.make(tmp_path_factory.mktemp("trained"), seed=1)
