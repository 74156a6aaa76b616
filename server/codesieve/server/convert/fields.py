"""What reading a request's fields needs: a place for the faults that are found, and text that has to be UTF-8."""

from __future__ import annotations

import keyword
import re

from codesieve.server.errors import InvalidRequest, Violation

MAX_VIOLATIONS = 100
MAX_TEXT_BYTES = 2**20
MAX_IDENTIFIER = 256

LABEL_FORM = "must be 1 to 128 letters, digits and ._:@/+-, without two dots in a row"
_LABEL = re.compile(r"(?!.*\.\.)[A-Za-z0-9._:@/+-]{1,128}")


class Violations:
    """The fields at fault in one request. At most `MAX_VIOLATIONS` are kept."""

    def __init__(self) -> None:
        self._found: list[Violation] = []

    def add(self, field: str, description: str) -> None:
        if len(self._found) < MAX_VIOLATIONS:
            self._found.append(Violation(field, description))

    def check(self) -> None:
        """Raises `InvalidRequest` if there are any."""
        if self._found:
            raise InvalidRequest(self._found)


def is_label(value: str) -> bool:
    """Whether it is of `LABEL_FORM`: what clients may call weights and adapters."""
    return _LABEL.fullmatch(value) is not None


def bounded(value: bytes, path: str, found: Violations) -> bytes:
    """Bytes of at most `MAX_TEXT_BYTES`; "" for larger ones."""
    if len(value) > MAX_TEXT_BYTES:
        found.add(path, f"is {len(value)} bytes; at most {MAX_TEXT_BYTES} are taken")
        return b""
    return value


def text(value: bytes, path: str, found: Violations) -> str:
    """The same of what has to be UTF-8."""
    try:
        return bounded(value, path, found).decode("utf-8")
    except UnicodeDecodeError as error:
        found.add(path, f"is not UTF-8: {error.reason} at byte {error.start}")
        return ""


def identifier(value: str, path: str, found: Violations) -> str:
    """A Python identifier that is no keyword."""
    if len(value) > MAX_IDENTIFIER or not value.isidentifier() or keyword.iskeyword(value):
        found.add(path, f"must be a Python identifier of at most {MAX_IDENTIFIER} characters, not {value[:80]!r}")
    return value
