"""What `--store` may be, and where jobs are kept when nothing was said."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesieve.server.jobs.stores import read_store
from codesieve.server.options import default_store


def test_what_a_store_may_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_store("memory") is None
    assert read_store("jobs.db") == read_store("sqlite:///jobs.db") == tmp_path / "jobs.db"
    assert read_store("/var/lib/jobs.db") == read_store("sqlite:////var/lib/jobs.db") == Path("/var/lib/jobs.db")
    for url in ("postgresql://u:p@h/d", "postgres://h:5/d", "postgresql:///d?host=/run/postgresql&sslmode=require"):
        assert read_store(url) == url


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no file"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite://jobs.db", "names no file"),
        ("a\0b", "names no file"),
        ("sqlite:///jobs.db?mode=ro", "takes no parameters"),
        ("mysql://u:hidden@h/d", "mysql:// is no store; it must be memory, a file, sqlite:///FILE or postgresql://"),
        ("postgresql://u:hidden@h", "names no database"),
        ("postgresql://u:hidden@h/d?sslmod=require", "there is no parameter 'sslmod'; there are host, port, sslmode"),
        ("postgresql://u:hid/den@h/d", "can't be read; @, : and / in a password are written %40"),
        ("postgresql://u:hidden@[h/d", "can't be read"),
    ],
)
def test_what_a_store_may_not_be(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="--store: ") as refused:
        read_store(text)
    assert message in str(refused.value)
    assert "hid" not in str(refused.value)


def test_where_jobs_are_kept_when_nothing_was_said() -> None:
    assert default_store({"XDG_STATE_HOME": "/s"}, 0) == Path("/var/lib/codesieve/jobs.db")
    assert default_store({"XDG_STATE_HOME": "/s", "HOME": "/h"}, 5) == Path("/s/codesieve/jobs.db")
    for state in ("", "relative"):
        assert default_store({"XDG_STATE_HOME": state, "HOME": "/h"}, 5) == Path("/h/.local/state/codesieve/jobs.db")
