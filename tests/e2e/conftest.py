"""Real servers for the end-to-end tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.server import Server


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts servers with options of the test's, which are stopped at its end."""
    with ExitStack() as stack:

        def start(*options: str) -> Server:
            server = Server(tmp_path, options)
            stack.callback(server.stop)
            server.start()
            return server

        yield start
