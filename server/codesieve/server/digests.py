"""Digests of frozen values: equal for equal values, and for no others."""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from typing import Any


def digest_of(value: Any) -> bytes:
    """SHA-256 over a value of tuples, dataclasses and scalars."""
    digest = hashlib.sha256()
    feed(digest, value)
    return digest.digest()


def feed(digest: hashlib._Hash, value: Any) -> None:
    """Adds a value with its kind and length, so that no two values are fed as the same bytes."""
    if isinstance(value, tuple):
        digest.update(struct.pack(">cQ", b"t", len(value)))
        for one in value:
            feed(digest, one)
    elif dataclasses.is_dataclass(value):
        feed(digest, type(value).__name__)
        feed(digest, tuple(getattr(value, field.name) for field in dataclasses.fields(value)))
    else:
        if isinstance(value, bytes):
            kind, data = b"b", value
        elif isinstance(value, str):
            kind, data = b"s", value.encode("utf-8", "surrogatepass")
        else:
            kind, data = b"n", repr(value).encode()
        digest.update(struct.pack(">cQ", kind, len(data)))
        digest.update(data)
