"""How much of large jobs is taken in at a time.

An upload's pieces become objects in this process, long before there is a job that a quota could count. So each upload is
bounded, all of them together are, one caller's take at most half of that, and one whose client falls silent gives its place
up.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

from codesieve.server.errors import InvalidRequest, Overloaded, TooSlow, Violation

MAX_UPLOAD_BYTES = 2**30
"""Of one job. 131,200 samples of HumanEval come to about 0.1 GiB."""
MAX_UPLOADING_BYTES = 2 * 2**30
"""Of all uploads under way."""
OBJECT_BYTES = 512
"""What a sample or a problem takes beyond its bytes on the wire."""
PIECE_SECONDS = 60.0
UPLOAD_SECONDS = 1800.0
RETRY_SECONDS = 5.0

PieceT = TypeVar("PieceT")


class Uploads:
    """The uploads under way. The bounds are bytes; the waits are how long a client may leave the server waiting."""

    def __init__(
        self,
        each: int = MAX_UPLOAD_BYTES,
        together: int = MAX_UPLOADING_BYTES,
        piece_seconds: float = PIECE_SECONDS,
        upload_seconds: float = UPLOAD_SECONDS,
    ) -> None:
        self._each = each
        self._together = together
        self._piece_seconds = piece_seconds
        self._upload_seconds = upload_seconds
        self.taken = 0
        self._of_caller: collections.Counter[str] = collections.Counter()

    @contextlib.contextmanager
    def begin(self, caller: str) -> Iterator[Upload]:
        """An upload; what it took is given back at the end of the context."""
        upload = Upload(self, caller)
        try:
            yield upload
        finally:
            self.taken -= upload.taken
            self._of_caller[caller] -= upload.taken
            if not self._of_caller[caller]:
                del self._of_caller[caller]

    def take(self, upload: Upload, size: int) -> None:
        """Raises `InvalidRequest` where the upload is too large, and `Overloaded` where there is no room for it now."""
        if upload.taken + size > self._each:
            most = f"an upload may take {self._each / 2**20:.0f} MiB of the server's memory; send it in several jobs"
            raise InvalidRequest([Violation("job", f"is too large: {most}")])
        of_caller = self._of_caller[upload.caller] + size
        # Callers without a name aren't told apart.
        too_much = upload.caller and of_caller > self._together // 2
        if too_much or self.taken + size > self._together:
            raise Overloaded("too much is being uploaded", reason="TOO_MANY_UPLOADS", retry_after_seconds=RETRY_SECONDS)
        self.taken += size
        self._of_caller[upload.caller] += size
        upload.taken += size

    async def pieces(self, sent: AsyncIterator[PieceT]) -> AsyncIterator[PieceT]:
        """What a client sends. Raises `TooSlow` where it leaves the server waiting."""
        deadline = asyncio.get_running_loop().time() + self._upload_seconds
        while True:
            wait = min(self._piece_seconds, deadline - asyncio.get_running_loop().time())
            try:
                async with asyncio.timeout(wait):
                    piece = await anext(sent, None)
            except TimeoutError:
                raise TooSlow(f"no piece of the job came for {max(wait, 0):.0f} s", reason="UPLOAD_TOO_SLOW") from None
            if piece is None:
                return
            yield piece


class Upload:
    """One of them."""

    def __init__(self, uploads: Uploads, caller: str) -> None:
        self._uploads = uploads
        self.caller = caller
        self.taken = 0

    def take(self, size: int, objects: int) -> None:
        """Counts a piece of so many bytes and objects. Raises `InvalidRequest` or `Overloaded`."""
        self._uploads.take(self, size + objects * OBJECT_BYTES)
