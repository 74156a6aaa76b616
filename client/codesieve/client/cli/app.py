"""The commands, and the one place where an error becomes a line and an exit code. No traceback reaches a user."""

from __future__ import annotations

import io
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence

import click

from codesieve.client import errors
from codesieve.client.cli import compare, evaluate, export, jobs, models, operate, report, run_command, token, top
from codesieve.client.cli.connecting import CliError
from codesieve.client.text import printable

EPILOG = """\b
Exit codes: 0 done, 1 the job (or the server) failed, 2 bad usage or input, 130 interrupted.
Example: codesieve run humaneval --model smollm2 -n 10 -t 0.2 -t 0.8 --limit 20"""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=EPILOG)
@click.version_option(package_name="codesieve")
def cli() -> None:
    """Sample completions, judge them in sandboxes, and score them as Codex did."""


for command in (
    run_command.run,
    evaluate.evaluate,
    report.report,
    compare.compare,
    export.export,
    jobs.jobs,
    models.models,
    operate.serve,
    top.top,
    operate.doctor,
    token.token,
):
    cli.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What a terminal's encoding lacks is written as an escape, not as a traceback.
            stream.reconfigure(errors="backslashreplace")
    try:
        # `obj` is for who has to say the command again.
        code = cli.main(list(arguments), prog_name="codesieve", standalone_mode=False, obj=tuple(arguments))
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted", 130)
    except CliError as error:
        return _say(error.message, error.code)
    except errors.CodesieveError as error:
        return _say(error.message, exit_code(error))
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does. Python must not try to flush the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _say(f"{error.filename or 'a file'}: {error.strerror or error}", 1)
    except Exception as error:  # noqa: BLE001 (the last resort: the traceback goes to a file)
        with tempfile.NamedTemporaryFile("w", prefix="codesieve-", suffix=".log", delete=False) as log:
            log.write(traceback.format_exc())
        what = f"{type(error).__name__}: {error}"
        return _say(f"an unexpected error, which is a defect ({what}); {log.name} says where", 1)
    # --help and --version end inside click with code 0; commands return None or their code.
    return code if isinstance(code, int) else 0


def exit_code(error: errors.CodesieveError) -> int:
    """2 for what the user can mend by asking differently, 1 for the rest."""
    mendable = (
        errors.InvalidRequest,
        errors.NotFound,
        errors.AlreadyExists,
        errors.PreconditionFailed,
        errors.Unauthenticated,
        errors.NotAllowed,
    )
    return 2 if isinstance(error, mendable) or error.reason == "NO_ANSWER" else 1


def _say(message: str, code: int) -> int:
    for line in message.splitlines():
        click.echo(f"codesieve: {printable(line)}", err=True)
    return code
