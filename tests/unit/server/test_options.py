"""What the server's options are read from."""

from __future__ import annotations

from typing import Any

import pytest

from codesieve.server.options import address, fail_on_unknown


@pytest.mark.parametrize("text", ["", "7420", "host:", ":80", "host:x", "host:70000"])
def test_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        address(text)


def test_configuration(tmp_path: Any) -> None:
    names = {"listen", "models", "drain_seconds"}
    values = {"model": ["a"], "drain-seconds": 3}
    assert fail_on_unknown(values, names, tmp_path) == {"models": ["a"], "drain_seconds": 3}
    with pytest.raises(ValueError, match="did you mean listen"):
        fail_on_unknown({"lisen": ""}, names, tmp_path)
