"""The `codesieve` command. This module needs nothing but the standard library, so that a missing extra is one line."""

from __future__ import annotations

import importlib.util
import sys


def main() -> None:
    """The entry point: runs the command line and exits with its code."""
    missing = [name for name in ("click", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        print(  # noqa: T201
            f"codesieve: the command line needs {' and '.join(missing)}; install it with: pip install 'codesieve[cli]'",
            file=sys.stderr,
        )
        sys.exit(2)
    from codesieve.client.cli import app

    sys.exit(app.run(sys.argv[1:]))
