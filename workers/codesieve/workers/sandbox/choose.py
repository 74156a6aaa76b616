"""Which backend a name means on this machine."""

from __future__ import annotations

from pathlib import Path

from codesieve.workers.errors import SandboxUnavailable
from codesieve.workers.sandbox.backend import Backend

DOCKER_ANSWERS_WITHIN_SECONDS = 2.0


def choose_backend(name: str, image: str | None, runtime: str | None, runtime_dir: Path) -> Backend:
    """The backend called "docker" or "namespaces"; "auto" is Docker if its engine answers within 2 s. Blocks that long.

    Raises SandboxUnavailable for an unknown name, and for an image or a runtime without Docker.
    """
    if name not in ("auto", "docker", "namespaces"):
        raise SandboxUnavailable(f"there is no sandbox backend {name!r}; choose docker, namespaces or auto")
    if name == "docker" or (name == "auto" and docker_answers()):
        from codesieve.workers.sandbox.docker import DockerBackend

        return DockerBackend(image, runtime, runtime_dir)
    if image is not None or runtime is not None:
        raise SandboxUnavailable(
            "an image or a runtime needs Docker, and no engine answers; start dockerd or leave them out"
        )
    from codesieve.workers.sandbox.namespaces import NamespaceBackend

    return NamespaceBackend(runtime_dir)


def docker_answers() -> bool:
    from codesieve.workers.sandbox.docker import connect

    try:
        connect(DOCKER_ANSWERS_WITHIN_SECONDS).close()
    except SandboxUnavailable:
        return False
    return True
