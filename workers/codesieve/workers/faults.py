"""What a log may say of an unexpected error: what kind it is and where it came from, in one line.

Not its text, nor that of the objects it was raised about: both may quote programs, tokens or paths of clients. What is said
of clients' own, such as ids, is made `printable`.
"""

from __future__ import annotations

import traceback
from pathlib import PurePath

MAX_FRAMES = 12


def printable(text: str) -> str:
    """One line that speaks to no terminal: what isn't printable is shown escaped."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def outline(error: BaseException) -> str:
    """The error's type and its innermost frames, then the same of what it came from."""
    lines: list[str] = []
    known: BaseException | None = error
    while known is not None and len(lines) < MAX_FRAMES:
        frames = traceback.extract_tb(known.__traceback__)[-MAX_FRAMES:]
        where = " < ".join(f"{PurePath(each.filename).name}:{each.lineno} {each.name}" for each in reversed(frames))
        lines.append(f"{type(known).__name__} at {where or 'no frame'}")
        known = known.__cause__ or (None if known.__suppress_context__ else known.__context__)
    return "; while handling ".join(lines)
