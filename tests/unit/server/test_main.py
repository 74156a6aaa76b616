"""`codesieve serve` refuses what it can't do in one line and with exit code 2, before anything is started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from codesieve.server import __main__ as server


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('lisen = "127.0.0.1:1"', "there is no option 'lisen'; did you mean listen?"),
        ("listen = ", "Invalid value"),
        ('sandbox = "jail"', "'jail' is not one of"),
        ('listen = "here"', "'here' is not an address; it must be HOST:PORT"),
        ('metrics-listen = "there"', "'there' is not an address; it must be HOST:PORT"),
        ('model = "/no/such/model"', "'/no/such/model' is neither a directory nor"),
        ('model = ["replay:"]', "names no file"),
        ('store = "mysql://u:p@h/d"', "--store: mysql:// is no store"),
        ("retention-days = -1", "-1.0 is not in the range"),
        ('trace-endpoint = "127.0.0.1:4317"', "--trace-endpoint: it must be http://HOST:PORT"),
        ('trace-endpoint = "http://127.0.0.1"', "--trace-endpoint: it must be http://HOST:PORT"),
        ('trace-endpoint = "http://127.0.0.1:4318/v1/traces"', "--trace-endpoint: it must be http://HOST:PORT"),
        ('trace-endpoint = "http://[::1:4317"', "--trace-endpoint: it must be http://HOST:PORT"),
        ("trace-samples = 1.5", "1.5 is not in the range"),
        ("dedicated-nodes = true", "--dedicated-nodes needs --ray-address"),
    ],
)
def test_a_wrong_configuration(tmp_path: Path, config: str, message: str) -> None:
    file = tmp_path / "codesieve.toml"
    file.write_text(config)
    announcement = tmp_path / "announcement"
    done = CliRunner().invoke(server.main, ["--config", str(file), "--announce", str(announcement)])
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output
    if announcement.exists():  # the options were read, and what they ask for can't be had
        assert message in json.loads(announcement.read_text())["error"]


def test_tracing_without_opentelemetry_is_refused_in_one_line() -> None:
    script = "import sys; sys.modules['opentelemetry'] = None; from codesieve.server.__main__ import main; main()"
    command = [sys.executable, "-c", script, "--trace-endpoint", "http://127.0.0.1:4317", "--store", "memory"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "--trace-endpoint needs OpenTelemetry" in line
    assert line.endswith("pip install 'codesieve[tracing]'")


def test_a_configuration_that_is_not_there() -> None:
    done = CliRunner().invoke(server.main, ["--config", "/no/such/file.toml"])
    assert done.exit_code == 2
    assert "/no/such/file.toml: No such file" in done.output


def test_the_command_line_goes_before_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "codesieve.toml"
    file.write_text('listen = "127.0.0.1:1"')
    done = CliRunner().invoke(server.main, ["--config", str(file), "--listen", "there"])
    assert "'there' is not an address" in done.output


def test_the_store_may_be_said_in_the_environment() -> None:
    done = CliRunner().invoke(server.main, [], env={"CODESIEVE_STORE": "oracle://u:hidden@h/d"})
    assert done.exit_code == 2
    assert "--store: oracle:// is no store" in done.output
    assert "hidden" not in done.output


def test_a_password_in_the_environment_is_not_inherited_by_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []
    monkeypatch.setenv("CODESIEVE_STORE", str(tmp_path / "jobs.db"))
    monkeypatch.setattr(server, "stop_ray", lambda: None)

    def start_ray(address: str | None, *, export: bool) -> None:
        seen.append(os.environ.get("CODESIEVE_STORE"))
        raise ValueError("that is all for this test")

    monkeypatch.setattr(server, "start_ray", start_ray)
    assert "that is all" in CliRunner().invoke(server.main, []).output
    assert seen == [None]


def test_help_has_an_example_and_the_exit_codes() -> None:
    done = CliRunner().invoke(server.main, ["--help"])
    assert done.exit_code == 0
    assert "Example: codesieve serve" in done.output
    assert "Exit codes" in done.output
