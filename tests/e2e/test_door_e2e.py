"""A server behind TLS and tokens, and the SDK and the command line in front of it: all of it real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import Authority

from codesieve.client import Client, NotAllowed, NotFound, RecordedSample, Retry, Security, Unauthenticated, Unavailable
from codesieve.server import datasets

CODESIEVE = str(Path(sys.executable).with_name("codesieve"))


def codesieve(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, with its errors."""
    env = {**os.environ, **environment}
    return subprocess.run([CODESIEVE, *arguments], capture_output=True, text=True, check=False, timeout=120, env=env)


def new_token(name: str, *scopes: str) -> tuple[str, str]:
    """A token, and its entry for the server's file."""
    done = codesieve("token", "new", "--name", name, "--json", *(f"--scope={scope}" for scope in scopes))
    told = json.loads(done.stdout)
    return told["token"], told["entry"]


@pytest.mark.namespaces
def test_a_server_behind_tls_and_tokens(start_server: Callable[..., Any], tmp_path: Path) -> None:
    authority = Authority()
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    certificate, key = authority.sign("server").write(tmp_path, "server")
    own, own_key = authority.sign("client").write(tmp_path, "client")
    (token, entry), (other, other_entry), (reader, reader_entry) = (
        new_token("trainer", "submit", "read"),
        new_token("other", "submit", "read"),
        new_token("trainer", "read"),
    )
    (tmp_path / "tokens.toml").write_text("\n\n".join((entry, other_entry, reader_entry)) + "\n")
    server = start_server(
        *("--sandbox", "namespaces", "--tokens", f"{tmp_path}/tokens.toml"),
        *("--tls-cert", str(certificate), "--tls-key", str(key), "--tls-client-ca", f"{tmp_path}/ca.crt"),
    )

    def client(token: str, **changes: Any) -> Client:
        security = Security(token=token, ca=tmp_path / "ca.crt", certificate=own, key=own_key)
        return Client(server.address, security=security, retry=Retry(2.0), **changes)

    problem = datasets.load("humaneval")[0]
    samples = [RecordedSample(problem.problem_id, (problem.canonical_solution or "").encode())]
    with client(token) as trainer:
        result = trainer.evaluate(samples, job_id="mine")
        assert result.job.progress is not None
        assert result.job.progress.verdicts == {"PASSED": 1}
    with client(other) as stranger, pytest.raises(NotFound):
        stranger.jobs.get("mine")
    with client(reader) as reading:
        assert reading.jobs.get("mine").job_id == "mine"
        with pytest.raises(NotAllowed, match="submit"):
            reading.jobs.delete("mine")
    with client("not-a-token") as unknown, pytest.raises(Unauthenticated):
        unknown.jobs.list()
    without_certificate = Security(token=token, ca=tmp_path / "ca.crt")
    with Client(server.address, security=without_certificate, retry=Retry(0.0)) as refused, pytest.raises(Unavailable):
        refused.jobs.list()

    (tmp_path / "token").write_text(token + "\n")
    tls = ("--tls-ca", f"{tmp_path}/ca.crt", "--tls-cert", str(own), "--tls-key", str(own_key))
    where = ("--server", server.address, *tls)
    listed = codesieve("jobs", "list", "--json", *where, "--token-file", f"{tmp_path}/token")
    assert [job["job"] for job in json.loads(listed.stdout)["jobs"]] == ["mine"], listed.stderr
    again = codesieve("jobs", "rejudge", "mine", "--json", *where, CODESIEVE_TOKEN=token)
    assert json.loads(again.stdout)["changed"] == 0, again.stderr
    stranger_sees = codesieve("jobs", "show", "mine", *where, CODESIEVE_TOKEN=other)
    assert (stranger_sees.returncode, "no job" in stranger_sees.stderr) == (2, True)
    assert not any(secret in server.log for secret in (token, other, reader))
    lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    (refused,) = [line for line in lines if line["logger"] == "codesieve.audit" and line["rpc"] == "DeleteJob"]
    assert (refused["caller"], refused["code"]) == ("trainer", "PERMISSION_DENIED")
    about_it = [line for line in lines if line.get("job") == "mine" and line["caller"] == "trainer"]
    assert [line.get("state") for line in about_it] == [None, "RUNNING", "SUCCEEDED"]


def test_a_server_does_not_listen_to_the_network_without_a_door(tmp_path: Path) -> None:
    done = codesieve("serve", "--listen", "0.0.0.0:0", "--store", "memory")
    assert done.returncode == 2
    assert "--tokens" in done.stderr
    assert "--insecure" in done.stderr
