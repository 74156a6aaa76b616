"""A page as Chromium shows it, beside an address that notes whatever is asked of it."""

from __future__ import annotations

import contextlib
import http.server
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

LEAK = (
    "</script><script>console.error('pwned')</script><img src='http://HERE/leak' onerror=console.error('pwned')>\u202e"
)
"""Hostile text. HERE is where it wants to ask."""
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--enable-logging=stderr", "--hide-scrollbars"]
BLUE = (0x00, 0x72, 0xB2)
"""The figures', which is nowhere else on the page."""


@contextlib.contextmanager
def noting() -> Iterator[tuple[str, list[str]]]:
    """An address on this machine, and what was asked of it."""
    asked: list[str] = []

    class Noting(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Noting) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def shown(page: Path, screenshot: Path, width: int, height: int = 4000) -> list[str]:
    """Opens a page, keeps its picture, and returns what its console says."""
    return _chromium(page, screenshot, f"--window-size={width},{height}", f"--screenshot={screenshot}")


def printed(page: Path, pdf: Path) -> list[str]:
    """Prints a page into a file, and returns what its console says."""
    return _chromium(page, pdf, f"--print-to-pdf={pdf}", "--no-pdf-header-footer")


def _chromium(page: Path, made: Path, *flags: str) -> list[str]:
    made.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = ["chromium", *FLAGS, f"--user-data-dir={profile}", *flags, "--virtual-time-budget=3000"]
        done = subprocess.run(
            [*command, page.as_uri()],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    assert made.exists(), done.stderr
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def colours(picture: Path) -> set[Any]:
    """Every colour that is in a picture."""
    with Image.open(picture) as image:
        return {colour for _, colour in image.convert("RGB").getcolors(2**24) or ()}
