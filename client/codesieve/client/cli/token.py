"""`codesieve token new`: makes a token, and the entry for the server's file that lets it in.

Standard library only, and no server is asked. The file holds the token's digest, so that who reads it has no token. Names
and numbers are checked as the server will (`serve --tokens`).
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import secrets
from typing import Any

import click

from codesieve.client.cli import common

TOKEN_BYTES = 32
SCOPES = ("submit", "read", "admin")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")


@click.group(epilog="Example: codesieve token new --name trainer --scope submit --scope read")
def token() -> None:
    """Make tokens for a server's door."""


def _name(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not _NAME.fullmatch(value):
        raise click.BadParameter("must be 1 to 63 letters, digits and . _ @ -, beginning with a letter or a digit")
    return value


def _expires(context: click.Context, parameter: click.Parameter, value: int | None) -> datetime.datetime | None:
    if value is None:
        return None
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(days=value)


@token.command(
    epilog="""\b
The token is told once; keep it where the client finds it. Append the rest to the server's file and tell the server:
  codesieve token new --name trainer --scope submit --scope read   # prints both
  kill -HUP PID                                                    # of the server, which reads the file again
Several tokens may have one name: they are one caller, with the same jobs and the same quotas.
Exit codes: 0 done, 2 bad usage."""
)
@click.option("--name", required=True, callback=_name, help="The caller's name; its jobs are its own.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    required=True,
    help="submit: jobs and Judge streams. read: what became of them. admin: loading models, changing their weights, "
    "codesieve top. Repeatable.",
)
@click.option("--jobs", type=click.IntRange(1), help="Most jobs at a time that have not ended.")
@click.option("--samples-in-flight", type=click.IntRange(1), help="Most samples at a time being made or judged.")
@click.option("--samples-per-day", type=click.IntRange(1), help="Most samples between two midnights, UTC.")
@click.option(
    "--weight",
    type=click.FloatRange(0, 1e6, min_open=True),
    help="Its part of the machine beside others'.  [default: 1]",
)
@click.option(
    "--expires-in-days",
    "expires",
    type=click.IntRange(1, 36_500),
    callback=_expires,
    help="When it ends.  [default: never]",
)
@common.json_option
def new(as_json: bool, name: str, scopes: tuple[str, ...], expires: datetime.datetime | None, **quotas: Any) -> None:
    """Make a token and print it, with its entry for the file of `codesieve serve --tokens`."""
    made = secrets.token_urlsafe(TOKEN_BYTES)
    lines = [
        "[[token]]",
        f'name = "{name}"',
        f'sha256 = "{hashlib.sha256(made.encode()).hexdigest()}"',
        f"scopes = {json.dumps(list(dict.fromkeys(scopes)))}",
        *(f"{field} = {value}" for field, value in quotas.items() if value is not None),
    ]
    if expires is not None:
        lines.append(f"expires = {expires.isoformat().replace('+00:00', 'Z')}")
    entry = "\n".join(lines)
    if as_json:
        click.echo(json.dumps({"token": made, "entry": entry}))
        return
    click.echo("The token, which is told only now:", err=True)
    click.echo(made)
    click.echo("For the server's file (serve --tokens FILE):", err=True)
    click.echo(f"\n{entry}\n")
