"""Where the test runner lies in a cell: in the folder in which that Python looks."""

from __future__ import annotations

import sysconfig

import pytest

from codesieve.workers.sandbox.image import collect_files


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
def test_pytest_lies_where_this_python_looks(monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    others = [name for name in sysconfig.get_scheme_names() if name != "deb_system"]
    schemes = (*others, "deb_system") if folder == "dist-packages" else tuple(others)
    monkeypatch.setattr(sysconfig, "get_scheme_names", lambda: schemes)
    (place,) = [place for place in collect_files() if place.parts[-2:] == ("pytest", "__init__.py")]
    assert place.parts[-3] == folder
