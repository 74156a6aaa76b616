"""The tokens' file, the door that holds callers to it, and `codesieve token new`, which makes its entries."""

from __future__ import annotations

import datetime
import hashlib
import json
import logging
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from codesieve.client.cli.app import cli
from codesieve.server.callers import Quota, Scope
from codesieve.server.errors import NotAllowed, Unauthenticated
from codesieve.server.tokens import TokenDoor, TokensFileError, read

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
DIGESTS = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("one", "two", "three")}


def entry(name: str = "trainer", token: str = "one", scopes: str = '["submit", "read"]', more: str = "") -> str:
    return f'[[token]]\nname = "{name}"\nsha256 = "{DIGESTS[token]}"\nscopes = {scopes}\n{more}\n'


def write(directory: Path, *entries: str) -> Path:
    file = directory / "tokens.toml"
    file.write_text("".join(entries))
    return file


def door_of(directory: Path, *entries: str) -> TokenDoor:
    return TokenDoor(write(directory, *entries), lambda: NOW)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_a_token_lets_its_caller_in_with_its_scopes(tmp_path: Path) -> None:
    door = door_of(
        tmp_path,
        entry(more="jobs = 2\nsamples_in_flight = 8\nsamples_per_day = 100\nweight = 2"),
        entry("reader", "two", '["read"]'),
    )
    caller = await door.enter("CreateJob", Scope.SUBMIT, bearer("one"))
    assert (caller.name, caller.quota) == ("trainer", Quota(2, 8, 100, 2.0))
    assert door.quota_of("trainer") == caller.quota
    assert door.quota_of("who has gone") == Quota()
    assert (await door.enter("GetJob", Scope.READ, bearer("two"))).name == "reader"
    with pytest.raises(NotAllowed, match="CreateJob needs a token with the scope submit") as refused:
        await door.enter("CreateJob", Scope.SUBMIT, bearer("two"))
    assert refused.value.caller == "reader"


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({}, "TOKEN_MISSING"),
        ({"authorization": "one"}, "TOKEN_MISSING"),
        ({"authorization": "Basic one"}, "TOKEN_MISSING"),
        ({"authorization": "Bearer "}, "TOKEN_MISSING"),
        (bearer("four"), "TOKEN_UNKNOWN"),
        (bearer(DIGESTS["one"]), "TOKEN_UNKNOWN"),
        (bearer("two"), "TOKEN_EXPIRED"),
    ],
)
async def test_who_has_no_valid_token_is_nobody(tmp_path: Path, metadata: dict[str, str], reason: str) -> None:
    door = door_of(tmp_path, entry(), entry(token="two", more="expires = 2026-06-01T02:00:00+02:00"))
    with pytest.raises(Unauthenticated) as refused:
        await door.enter("GetJob", Scope.READ, metadata)
    assert refused.value.reason == reason
    assert "four" not in refused.value.message


async def test_two_tokens_of_one_name_are_one_caller(tmp_path: Path) -> None:
    door = door_of(tmp_path, entry(more="jobs = 2"), entry(token="two", scopes='["read"]', more="jobs = 2"))
    old, new = [await door.enter("GetJob", Scope.READ, bearer(token)) for token in ("one", "two")]
    assert (old.name, old.quota) == (new.name, new.quota)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("token = ", ["is not TOML"]),
        ("", ["must hold [[token]] entries"]),
        ("x = 1\n" + entry(), ["must hold [[token]] entries"]),
        ("token = 3", ["must hold [[token]] entries"]),
        (entry(name="a b"), ["token 1: name must be"]),
        (entry(scopes="[]"), ["token 1 (trainer): scopes must be a list of some of admin, read, submit"]),
        (entry(scopes='["write"]'), ["scopes must be"]),
        (entry(more="jobs = 0"), ["jobs must be a whole number of at least 1"]),
        (entry(more="jobs = true"), ["jobs must be a whole number of at least 1"]),
        (entry(more="weight = nan"), ["weight must be a number greater than 0"]),
        (entry(more="expires = 2026-01-01T00:00:00"), ["expires must be a date and time with its offset"]),
        (entry(more="sample_per_day = 3"), ["there is no field 'sample_per_day'"]),
        (entry().replace(DIGESTS["one"], "one"), ["sha256 must be"]),
        (entry() + entry(name="b"), ["token 2 (b): sha256 is that of token 1"]),
        (
            entry(more="jobs = 0") + entry(name="b", token="two", scopes="3"),
            ["token 1 (trainer): jobs must", "token 2 (b): scopes must"],
        ),
        (entry() + entry(token="two", more="weight = 2.0"), ["token 2 (trainer): jobs, samples and weight must be"]),
    ],
)
def test_every_fault_of_the_file_is_named_in_one_line(tmp_path: Path, text: str, faults: list[str]) -> None:
    file = write(tmp_path, text)
    with pytest.raises(TokensFileError) as refused:
        read(file)
    said = str(refused.value)
    assert said.startswith(f"{file}: ")
    assert "\n" not in said
    for fault in faults:
        assert fault in said


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TokensFileError, match="No such file"):
        read(tmp_path / "none.toml")


async def test_a_broken_file_keeps_the_old_tokens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    door = door_of(tmp_path, entry())
    write(tmp_path, "[[token]]")
    with caplog.at_level(logging.INFO):
        door.reload()
    assert "the tokens stay as they were" in caplog.text
    assert (await door.enter("GetJob", Scope.READ, bearer("one"))).name == "trainer"
    write(tmp_path, entry(token="two"))
    door.reload()
    with pytest.raises(Unauthenticated):
        await door.enter("GetJob", Scope.READ, bearer("one"))
    assert (await door.enter("GetJob", Scope.READ, bearer("two"))).name == "trainer"


async def test_what_token_new_makes_opens_the_door(tmp_path: Path) -> None:
    command = ["token", "new", "--name", "trainer", "--scope", "submit", "--scope", "read"]
    quotas = ["--jobs", "2", "--samples-in-flight", "8", "--samples-per-day", "100", "--weight", "0.5"]
    done = CliRunner().invoke(cli, [*command, *quotas, "--expires-in-days", "3", "--json"])
    assert done.exit_code == 0, done.output
    made = json.loads(done.output)
    assert made["token"] not in made["entry"]
    door = TokenDoor(write(tmp_path, made["entry"]), lambda: datetime.datetime.now(datetime.UTC))
    caller = await door.enter("CreateJob", Scope.SUBMIT, bearer(made["token"]))
    assert caller.quota == Quota(2, 8, 100, 0.5)
    assert caller.scopes == {Scope.SUBMIT, Scope.READ}
    assert "expires" in tomllib.loads(made["entry"])["token"][0]


def test_token_new_tells_the_token_and_the_entry() -> None:
    done = CliRunner().invoke(cli, ["token", "new", "--name", "a", "--scope", "admin"])
    made, *rest = done.stdout.splitlines()
    assert hashlib.sha256(made.encode()).hexdigest() in done.stdout
    assert tomllib.loads("\n".join(rest))["token"][0]["scopes"] == ["admin"]


@pytest.mark.parametrize("wrong", [["--name", "a b"], ["--scope", "write"], ["--jobs", "0"], ["--weight", "0"]])
def test_token_new_refuses_what_the_server_would(wrong: list[str]) -> None:
    done = CliRunner().invoke(cli, ["token", "new", "--name", "a", "--scope", "read", *wrong])
    assert done.exit_code == 2
