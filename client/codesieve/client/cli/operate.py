"""`codesieve serve` and `doctor`: for who runs a server."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import Any

import click

from codesieve.client.cli import common, connecting, embedded, show

DOCTOR = "codesieve.workers.doctor"
SANDBOXES = ("docker", "namespaces")


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
    options_metavar="[OPTIONS]",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve(arguments: tuple[str, ...]) -> None:
    """Serve jobs over gRPC. `codesieve serve --help` says how."""
    embedded.check_installed()
    sys.stdout.flush()
    sys.stderr.flush()
    # The server takes this process over, so that signals and the exit code are its own.
    os.execv(sys.executable, [sys.executable, "-m", "codesieve.server", *arguments])


@click.command(
    epilog="""\b
Exit codes: 0 programs can be judged here, 1 they can't (neither Docker nor namespaces), 2 bad usage.
Example: codesieve doctor"""
)
@common.json_option
def doctor(as_json: bool) -> int:
    """Say what this machine can do, and what would mend what it can't."""
    try:
        there = importlib.util.find_spec(DOCTOR) is not None
    except ModuleNotFoundError:
        there = False
    if not there:
        raise connecting.CliError(
            "there are no workers to examine here; install them with: pip install 'codesieve[sandbox]'"
        )
    with show.waiting("looking at this machine"):
        ran = subprocess.run([sys.executable, "-m", DOCTOR], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    try:
        checks: list[dict[str, Any]] = json.loads(ran.stdout)
    except ValueError:
        last = (ran.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1]
        raise connecting.CliError(f"the examination broke off (exit status {ran.returncode}): {last}", 1) from None
    # One sandbox is enough; a GPU or a prepared model is not for everybody.
    usable = any(each["ok"] for each in checks if each["name"] in SANDBOXES)
    if as_json:
        click.echo(json.dumps({"ok": usable, "checks": checks}))
    else:
        console = show.stdout()
        for each in checks:
            mark = "[green]ok[/]" if each["ok"] else "[red]no[/]"
            mend = "" if each["ok"] or not each["mend"] else f"; mend: {each['mend']}"
            line = show.safe(f"  {each['name']}: {each['detail']}{mend}")
            console.print(mark, line, sep="", soft_wrap=True)
    return 0 if usable else 1
