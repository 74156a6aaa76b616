"""How the commands reach a server: one that is named, with a token and TLS, or one of their own."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from codesieve.client import flows
from codesieve.client.channel import DEFAULT_TARGET
from codesieve.client.cli import show
from codesieve.client.cli.embedded import EmbeddedServer, JobFile, ServerStopped
from codesieve.client.errors import CodesieveError, InvalidRequest, JobFailed, ServerError, Unavailable
from codesieve.client.retry import Retry
from codesieve.client.security import Security
from codesieve.client.sync_client import Client

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

CONNECT_SECONDS = 10.0
PATIENT = Retry(give_up_after_seconds=600.0)
"""Of whoever waits for a job: a server may take minutes to start again."""
SECURITY_OPTIONS = {"ca": "--tls-ca", "certificate": "--tls-cert", "key": "--tls-key", "token": "the token"}
HOW_TO_SEND = "use --tls or --tls-ca, or --token-in-clear if nobody else can read what goes there"


class CliError(Exception):
    """One line for the user, and the exit code."""

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


@dataclasses.dataclass(frozen=True)
class Server:
    """A server that is there, and how to talk to it."""

    target: str
    security: Security


def server_option(command: FunctionT) -> FunctionT:
    """For the commands that always talk to a server that is there."""
    return _server_options(
        command,
        click.option(
            "--server",
            default=DEFAULT_TARGET,
            envvar="CODESIEVE_SERVER",
            show_default=True,
            show_envvar=True,
            metavar="HOST:PORT",
            help="The server to ask.",
        ),
    )


def server_or_embedded_option(command: FunctionT) -> FunctionT:
    """For the commands that start a server of their own unless one is named."""
    return _server_options(
        command,
        click.option(
            "--server",
            envvar="CODESIEVE_SERVER",
            show_envvar=True,
            metavar="HOST:PORT",
            help="The server to use. Without it one is started for this command alone, and stopped afterwards.",
        ),
    )


def _server_options(command: FunctionT, server_option: Callable[[Any], Any]) -> FunctionT:
    @functools.wraps(command)
    def collected(
        *,
        server: str | None,
        token: str | None,
        token_file: str | None,
        token_in_clear: bool,
        tls: bool,
        tls_ca: str | None,
        tls_cert: str | None,
        tls_key: str | None,
        **others: Any,
    ) -> Any:
        given = {
            "--token-file": token_file,
            "--token-in-clear": token_in_clear,
            "--tls": tls,
            "--tls-ca": tls_ca,
            "--tls-cert": tls_cert,
            "--tls-key": tls_key,
        }
        if server is None:
            for name, value in given.items():
                if value:
                    raise click.UsageError(f"{name} is for a server that is named with --server")
            return command(server=None, **others)
        if token_file is not None:
            token = _token_in(token_file)
        security = Security(token or "", tls, tls_ca, tls_cert, tls_key, token_in_clear)
        return command(server=Server(server, security), **others)

    path = click.Path(dir_okay=False)
    for option in (
        click.option("--tls-key", type=path, metavar="FILE", help="The key of --tls-cert, in PEM."),
        click.option(
            "--tls-cert",
            type=path,
            metavar="FILE",
            help="This client's own certificate, in PEM, where one is asked for.",
        ),
        click.option(
            "--tls-ca",
            type=path,
            metavar="FILE",
            help="Encrypt, and check the server against these certificates, in PEM.",
        ),
        click.option("--tls", is_flag=True, help="Encrypt, and check the server against the well-known certificates."),
        click.option(
            "--token-in-clear", is_flag=True, help="Send the token unencrypted to another machine all the same."
        ),
        click.option(
            "--token-file",
            type=path,
            metavar="FILE",
            help="A file that holds the token, as codesieve token new printed it.  [env var: CODESIEVE_TOKEN, the token]",
        ),
        # Only from the environment: a token among the arguments is seen by everybody on the machine.
        click.option("--token", envvar="CODESIEVE_TOKEN", hidden=True, expose_value=True, callback=_not_an_argument),
        server_option,
    ):
        collected = option(collected)
    return collected  # type: ignore[return-value]  # the same but for what it is called with


def _not_an_argument(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    assert parameter.name is not None
    if context.get_parameter_source(parameter.name) is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError(
            "a token among the arguments can be read by everybody on this machine; "
            "put it into the environment, CODESIEVE_TOKEN, or a file, --token-file"
        )
    return value


def _token_in(path: str) -> str:
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise CliError(f"--token-file: {path} can't be read: {why}") from None
    if not token:
        raise CliError(f"--token-file: there is no token in {path}")
    return token


def _client(server: Server, retry: Retry, on_outage: flows.OnOutage) -> Client:
    try:
        return Client(server.target, security=server.security, retry=retry, on_outage=on_outage)
    except InvalidRequest as error:
        ((field, what),) = error.violations
        if error.reason == "TOKEN_IN_CLEAR":
            raise CliError(f"the token is not sent to {server.target} unencrypted; {HOW_TO_SEND}") from None
        raise CliError(f"{SECURITY_OPTIONS.get(field, field)}: {what}") from None


@contextlib.contextmanager
def connect(server: Server, retry: Retry = Retry(), on_outage: flows.OnOutage | None = None) -> Iterator[Client]:  # noqa: B008
    """A client of a server that answers."""
    with _client(server, retry, on_outage or show.Outages()) as client:
        client.wait_until_ready(CONNECT_SECONDS)
        yield client


@dataclasses.dataclass
class Connection:
    """A client, and what its server is. `begun` is to be set once there is a job that can be come back to."""

    client: Client
    embedded: EmbeddedServer | None = None
    begun: bool = False


@dataclasses.dataclass(frozen=True)
class Embedding:
    """What an embedded server is started with."""

    sandbox: str | None = None
    isolation: str | None = None
    image: str | None = None
    model: str | None = None

    @property
    def options(self) -> list[str]:
        """Those of `codesieve serve`."""
        given = {f"--{name}": value for name, value in dataclasses.asdict(self).items()}
        return [text for name, value in given.items() if value is not None for text in (name, value)]

    def check(self, server: Server | None) -> None:
        """Refuses what only an embedded server takes where there is none."""
        for name, value in (("--sandbox", self.sandbox), ("--isolation", self.isolation), ("--image", self.image)):
            if server is not None and value is not None:
                raise click.UsageError(f"{name} is for the embedded server; {server.target} has chosen its own")


@contextlib.contextmanager
def connect_or_embed(
    server: Server | None, embedding: Embedding, store: Path, on_outage: flows.OnOutage
) -> Iterator[Connection]:
    """A connection to the server that is named, or to one that lives as long as this context.

    The latter keeps its job in the file `store`, which stays until the command has succeeded.
    """
    if server is not None:
        with connect(server, PATIENT, on_outage) as client:
            yield Connection(client)
        return
    kept = JobFile(store)
    connection: Connection | None = None
    try:
        with show.waiting("an earlier command's server is stopping"):
            kept.wait_until_free()
        with EmbeddedServer([*embedding.options, "--store", str(store)]) as embedded:
            with show.waiting(f"starting a server; its log is {embedded.log}"):
                address = embedded.wait_until_serving()

            def outage(error: CodesieveError | None) -> None:
                if error is None or not embedded.revive(lambda line: on_outage(Unavailable(line))):
                    on_outage(error)

            with Client(address, retry=PATIENT, on_outage=outage) as client:
                connection = Connection(client, embedded)
                try:
                    yield connection
                except Unavailable as error:
                    raise ServerStopped(embedded.died() or f"{error.message}; {embedded.see}") from error
                except ServerStopped:
                    raise
                except (JobFailed, ServerError) as error:
                    embedded.keep_log = True
                    raise CliError(f"{error.message}; {embedded.see}", 1) from error
    except BaseException:
        if connection is None or not connection.begun:
            kept.undo()
        raise
    kept.remove()
