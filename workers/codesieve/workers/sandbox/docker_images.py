"""The images that cells are made of, and the errors of the engine's SDK.

Without a named image, this machine's own Python is imported as one (``image.py``), named by what is in it. Images of other
Pythons, or of this one before an upgrade, are removed once they are old; a worker that still wants one imports it again.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codesieve.workers.errors import SandboxUnavailable
from codesieve.workers.sandbox.image import UNUSED_SECONDS, prepare_root

log = logging.getLogger(__name__)

OWN_PYTHON = "codesieve-cell"
"""The repository of the images that are made here."""


@contextlib.contextmanager
def engine_errors(action: str) -> Iterator[None]:
    """Turns what the SDK raises into SandboxUnavailable: "`action`: why"."""
    import docker.errors
    import requests

    try:
        yield
    except docker.errors.DockerException as error:
        raise SandboxUnavailable(f"{action}: {explain(error)}") from None
    except requests.RequestException as error:
        raise SandboxUnavailable(f"{action}: the Docker engine doesn't answer ({explain(error)})") from None


def explain(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error).strip().replace("\n", " ")


def find_image(client: Any, name: str) -> None:
    """Pulls `name` unless it is there. Raises SandboxUnavailable where it can't be had."""
    import docker.errors

    with engine_errors(f"image {name} can't be looked up"):
        try:
            client.images.get(name)
            return
        except docker.errors.ImageNotFound:
            pass
    try:
        client.images.pull(name, None if ":" in name.rpartition("/")[2] else "latest")
    except docker.errors.DockerException as error:
        raise SandboxUnavailable(
            f"image {name} isn't here and can't be pulled ({explain(error)}); docker load it, or leave --image out to use "
            "this machine's own Python"
        ) from None


def image_digest(client: Any, name: str) -> str:
    """The digest by which its registry knows an image; the engine's own id of one that no registry has."""
    with engine_errors(f"image {name} can't be looked up"):
        attributes = client.images.get(name).attrs
    known = sorted(attributes.get("RepoDigests") or ())
    return str(known[0].rpartition("@")[2] if known else attributes["Id"])


def import_own_python(client: Any, runtime_dir: Path) -> str:
    """This machine's Python as an image, imported unless it is there. Gives its name."""
    import docker.errors

    root = prepare_root(runtime_dir)
    try:
        name = f"{OWN_PYTHON}:{root.path.name}"
        with engine_errors("this machine's Python can't be imported as an image"):
            try:
                client.images.get(name)
                return name
            except docker.errors.ImageNotFound:
                pass
            with tempfile.NamedTemporaryFile(suffix=".tar") as file:
                with tarfile.open(fileobj=file, mode="w") as archive:
                    archive.add(root.path, arcname=".", filter=as_root)
                file.flush()
                client.api.import_image_from_file(
                    file.name, *name.split(":"), changes=["ENV PATH=/usr/local/bin:/usr/bin:/bin"]
                )
        return name
    finally:
        root.release()


def as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def remove_old_images(client: Any, keep: str, now: datetime.datetime) -> None:
    """Removes the images of our own making that are old, but `keep` and those that a container still uses."""
    import docker.errors

    with engine_errors("old images can't be removed"):
        for image in client.images.list(name=OWN_PYTHON):
            # The engine says nanoseconds, or leaves out a fraction that is nought.
            made = datetime.datetime.fromisoformat(image.attrs["Created"][:19] + "+00:00")
            if (now - made).total_seconds() < UNUSED_SECONDS:
                continue
            for tag in image.tags:
                if tag == keep or not tag.startswith(f"{OWN_PYTHON}:"):
                    continue
                try:
                    client.images.remove(tag)
                except docker.errors.ImageNotFound:
                    continue  # another worker was faster
                except docker.errors.APIError as error:
                    log.info("an image stays", extra={"image": tag, "error": explain(error)})
