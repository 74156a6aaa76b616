"""What a sandbox worker says of its cells: the same of the same Python on both backends, and the digest of a named image."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from codesieve.workers.origin import OWN_PYTHON, CellOrigin
from codesieve.workers.sandbox.choose import choose_backend
from codesieve.workers.sandbox.image import own_python_digest
from codesieve.workers.sandbox.version import judge_version
from codesieve.workers.sandbox.worker import SandboxWorker

PYTHON = ".".join(map(str, sys.version_info[:3]))


async def origin(runtime_dir: Path, backend: str, image: str | None = None, fresh: bool = False) -> Any:
    worker = SandboxWorker(choose_backend(backend, image, None, runtime_dir), cells=1, fresh=fresh)
    try:
        return (await worker.start()).origin
    finally:
        await worker.stop()


async def test_cells_of_this_machines_python_are_told_by_what_is_in_them(backend_name: str, runtime_dir: Path) -> None:
    digest = own_python_digest(runtime_dir)
    expected = CellOrigin(judge_version(), OWN_PYTHON, digest, PYTHON, "", "fork")
    assert await origin(runtime_dir, backend_name) == expected


@pytest.mark.docker
async def test_a_named_image_is_told_by_its_name_and_the_engines_digest(runtime_dir: Path) -> None:
    import docker

    await origin(runtime_dir, "docker")  # so that there is an image
    client = docker.from_env()
    try:
        image = client.images.list(name="codesieve-cell")[0]
    finally:
        client.close()
    told = await origin(runtime_dir, "docker", image.tags[0], fresh=True)
    assert (told.image, told.image_digest) == (image.tags[0], image.id)
    assert (told.isolation, told.judge_version) == ("container", judge_version())


def test_a_digest_tells_of_contents_and_not_of_times(tmp_path: Path) -> None:
    from codesieve.workers.sandbox.image import contents_digest

    def made(name: str, **files: str) -> str:
        for place, text in files.items():
            path = tmp_path / name / f"{place}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return contents_digest(tmp_path / name)

    first = made("a", one="1", two="2")
    assert made("b", two="2", one="1") == first
    (tmp_path / "b/one.cpython-311.pyc").write_bytes(b"times")
    assert contents_digest(tmp_path / "b") == first
    assert len({first, made("c", one="2", two="1"), made("d", one="1"), made("e", one="12", two="")}) == 4
