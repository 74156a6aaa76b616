"""What a run came to, for people and papers: reports, comparisons, exports.

`load` and `export` (but for Parquet) need nothing but the client; `statistics` and `compare` need numpy, `figures`
matplotlib, `page` jinja2, Parquet pyarrow. Those are the extra ``codesieve[report]``, and `needs` is what says so.
"""

from __future__ import annotations

import importlib.util

from codesieve.client.errors import PreconditionFailed


def needs(what: str, *modules: str) -> None:
    """Raises `PreconditionFailed` where one of the modules isn't installed."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise PreconditionFailed(
            f"{what} needs {' and '.join(missing)}; install it with: pip install 'codesieve[report]'",
            reason="NOT_INSTALLED",
        )
