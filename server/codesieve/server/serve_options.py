"""`codesieve serve`'s options, in the order of its help. What was asked for by them is `Options` and `Access`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from codesieve.server.access import access_options
from codesieve.server.options import fail_on_unknown
from codesieve.server.trace_options import trace_options
from codesieve.workers import logs

STORE_VARIABLE = "CODESIEVE_STORE"

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def _read_config(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Options from a TOML file become the defaults of those that the command line leaves out."""
    if path is not None:
        try:
            values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
            names = {one.name for one in context.command.params if one.name}
            context.default_map = fail_on_unknown(values, names, path)
        except OSError as error:
            raise click.BadParameter(f"{path}: {error.strerror}") from error
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
    return path


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--listen",
        default="127.0.0.1:7420",
        show_default=True,
        metavar="HOST:PORT|unix:FILE",
        help="Where gRPC is served. Beyond this machine it takes --tokens and --tls-cert, or --insecure.",
    ),
    access_options,
    click.option(
        "--metrics-listen",
        metavar="HOST:PORT",
        help="Where Prometheus finds /metrics, each worker's metrics, and /targets, which lists them all. Off unless given.",
    ),
    click.option(
        "--sandbox",
        type=click.Choice(["auto", "docker", "namespaces"]),
        default="auto",
        show_default=True,
        help="Where programs run. auto: Docker if its engine answers, else Linux namespaces.",
    ),
    click.option(
        "--image", help="The cells' Docker image; needs Python 3.8+. Default: made of this machine's own Python."
    ),
    click.option("--runtime", help="The cells' Docker runtime, for example runsc."),
    click.option(
        "--isolation",
        type=click.Choice(["fork", "container"]),
        default="fork",
        show_default=True,
        help="fork: programs share warm cells, one after the other. container: a fresh cell for each; slow.",
    ),
    click.option(
        "--cells", type=click.IntRange(1), help="Programs at a time in each sandbox worker. Default: two for each core."
    ),
    click.option(
        "--sandbox-workers", type=click.IntRange(1), default=1, show_default=True, help="Ray actors with cells."
    ),
    click.option(
        "--cache-mib",
        type=click.IntRange(0),
        default=64,
        show_default=True,
        help="MiB of verdicts kept, so that equal programs are judged once. 0 judges each.",
    ),
    click.option(
        "--model",
        "models",
        multiple=True,
        metavar="NAME|DIR|URL|replay:FILE",
        help="A model to sample from: smollm2, a directory that vLLM loads, an OpenAI-compatible endpoint, or recorded "
        "samples. Repeatable.",
    ),
    click.option(
        "--replicas",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Workers of each model. Samples of one prompt go to one of them, where it is in the cache.",
    ),
    click.option(
        "--tensor-parallel",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="GPUs that share each of vLLM's replicas of a model.",
    ),
    click.option(
        "--max-lora-rank",
        type=click.IntRange(0, 512),
        default=0,
        help="Take LoRA adapters (codesieve models load-adapter) of up to this rank; it costs speed.  [default: none]",
    ),
    click.option(
        "--store",
        envvar=STORE_VARIABLE,
        metavar="FILE|URL|memory",
        help="Where jobs are kept: an SQLite file, postgresql://USER:PASSWORD@HOST/DATABASE for several servers, or memory. "
        "CODESIEVE_STORE in the environment says it where a password is not to be seen. Default: /var/lib/codesieve/jobs.db "
        "for root, else codesieve/jobs.db in XDG_STATE_HOME (~/.local/state).",
    ),
    click.option(
        "--retention-days",
        type=click.FloatRange(0, 36_500),
        default=30.0,
        show_default=True,
        help="How long a job is kept after its end. 0 keeps jobs for ever.",
    ),
    click.option("--ray-address", help="A Ray cluster to join. Default: one of this machine alone is started."),
    click.option(
        "--dedicated-nodes",
        is_flag=True,
        help="The joined cluster's nodes say what they are for, by Ray's custom resources: each sandbox worker takes one "
        "codesieve_sandbox, each replica of vLLM its GPUs, each other model one codesieve_generation. A worker waits until "
        "there is such a node, which makes Ray's autoscaler start one, and runs nowhere else.",
    ),
    click.option(
        "--drain-seconds",
        type=click.FloatRange(0),
        default=30.0,
        show_default=True,
        help="How long running jobs may go on after SIGTERM.",
    ),
    trace_options,
    click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        callback=_read_config,
        is_eager=True,
        expose_value=False,
        help='A TOML file with these options by their long names (listen = "...", model = ["..."]).',
    ),
    click.option(
        "--announce",
        type=click.Path(path_type=Path),
        help="Write one JSON line to this file once serving (listen, metrics, sandbox, pid), or when it can't start "
        "(error).",
    ),
    click.option(
        "--log-format",
        type=click.Choice(logs.FORMS),
        default="auto",
        show_default=True,
        help="One line an event on stderr: JSON, or text for people. auto: text on a terminal.",
    ),
    click.option(
        "--log-level",
        type=click.Choice(logs.LEVELS),
        default="info",
        show_default=True,
        help="debug tells of every sample.",
    ),
    click.option("--exit-with-parent", is_flag=True, help="Stop when the process that started this one is gone."),
)


def serve_options(command: CommandT) -> CommandT:
    """All options of the command."""
    for option in reversed(_OPTIONS):  # as decorators are put on: the lowest first
        command = option(command)
    return command
