"""`codesieve models`: the models of a server, and what is done to their weights."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import click

from codesieve.client import types
from codesieve.client.cli import common, connecting, results, show

EXIT_CODES = "Exit codes: 0 done, 1 a worker failed, 2 bad usage, refused, or no server."


@click.group(epilog="Example: codesieve models load-weights smollm2 /checkpoints/step-100 --weights-version step-100")
def models() -> None:
    """See the models of a server, and change their weights."""


@models.command(
    "list",
    epilog="""\b
Exit codes: 0 done, 2 bad usage or no server.
Example: codesieve models list --json""",
)
@connecting.server_option
@common.json_option
def list_(server: connecting.Server, as_json: bool) -> None:
    """List the models that a server samples from."""
    with connecting.connect(server) as client:
        found = client.models.list()
    if as_json:
        click.echo(json.dumps({"models": [results.model(each) for each in found]}))
    else:
        show.models(found)


def _command(name: str, example: str) -> Callable[[Callable[..., Callable[[Any], types.Model]]], click.Command]:
    """A command about one model: what it decorates gives the call to make of `Client.models`."""

    def around(ask: Callable[..., Callable[[Any], types.Model]]) -> click.Command:
        @functools.wraps(ask)
        def run(*, model: str, server: connecting.Server, as_json: bool, **options: Any) -> None:
            with connecting.connect(server) as client, show.waiting(f"{name} {model}"):
                changed = ask(model=model, **options)(client.models)
            if as_json:
                click.echo(json.dumps(results.model(changed)))
            else:
                show.models([changed])

        command = click.argument("model", metavar="MODEL")(connecting.server_option(common.json_option(run)))
        epilog = f"\b\n{EXIT_CODES}\nExample: codesieve models {name} {example}"
        return models.command(name, epilog=epilog)(command)

    return around


@_command("load-weights", "smollm2 /checkpoints/step-100 --weights-version step-100")
@click.argument("directory")
@click.option(
    "--weights-version", default="", metavar="VERSION", help="What samples of them are to say.  [default: counted]"
)
def load_weights(model: str, directory: str, weights_version: str) -> Callable[[Any], types.Model]:
    """Load a checkpoint of the same architecture in place of MODEL's weights.

    DIRECTORY is an absolute path on the workers, with *.safetensors. Samples that are being made go on with the new
    weights, and say both versions; pause first to have it otherwise.
    """
    return lambda calls: calls.load_weights(model, directory, weights_version)


@_command("pause", "smollm2 --mode wait")
@click.option(
    "--mode",
    type=click.Choice([each.value.lower() for each in types.PauseMode], case_sensitive=False),
    default="abort",
    show_default=True,
    help="Samples that are being made are begun again once it goes on, are finished first, or go on from where they are.",
)
def pause(model: str, mode: str) -> Callable[[Any], types.Model]:
    """Have MODEL sample no more; requests wait, and jobs stand still."""
    return lambda calls: calls.pause(model, types.PauseMode(mode.upper()))


@_command("resume", "smollm2")
def resume(model: str) -> Callable[[Any], types.Model]:
    """End a pause."""
    return lambda calls: calls.resume(model)


@_command("sleep", "smollm2")
@click.option(
    "--level",
    type=click.IntRange(1, 2),
    default=1,
    show_default=True,
    help="1 keeps the weights in the CPU's memory, 2 throws them away.",
)
def sleep(model: str, level: int) -> Callable[[Any], types.Model]:
    """Free the GPU's memory; requests wait."""
    return lambda calls: calls.sleep(model, level)


@_command("wake-up", "smollm2")
@click.option(
    "--tag", "tags", type=click.Choice(["weights", "kv_cache"]), multiple=True, help="Of what.  [default: all]"
)
def wake_up(model: str, tags: tuple[str, ...]) -> Callable[[Any], types.Model]:
    """Take the GPU's memory back."""
    return lambda calls: calls.wake_up(model, tags)


@_command("load-adapter", "smollm2 policy-7 /adapters/policy-7")
@click.argument("adapter")
@click.argument("directory")
def load_adapter(model: str, adapter: str, directory: str) -> Callable[[Any], types.Model]:
    """Load a LoRA adapter; codesieve run --adapter samples with it.

    DIRECTORY is an absolute path on the workers, with PEFT's adapter_config.json and adapter_model.safetensors. The server
    needs --max-lora-rank.
    """
    return lambda calls: calls.load_adapter(model, adapter, directory)


@_command("unload-adapter", "smollm2 policy-7")
@click.argument("adapter")
def unload_adapter(model: str, adapter: str) -> Callable[[Any], types.Model]:
    """Forget a LoRA adapter."""
    return lambda calls: calls.unload_adapter(model, adapter)
