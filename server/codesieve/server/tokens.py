"""Bearer tokens: a TOML file that says who may come in, and the door that holds callers to it.

    [[token]]
    name = "trainer"                        # the caller; its jobs are its own
    sha256 = "64 hex digits"                # of the token; `codesieve token new` prints both
    scopes = ["submit", "read"]             # and "admin"
    jobs = 4                                # this and the rest may be left out; no bound then
    samples_in_flight = 256
    samples_per_day = 200000
    weight = 2.0                            # 1.0 unless given
    expires = 2027-01-31T00:00:00Z

Several tokens may have one name: they are one caller. So a token is replaced without a break (add the new one, have it
used, remove the old one), and a caller may have one that only reads. Scopes and expiry are a token's own; the quotas are the
caller's, and tokens of one name must agree on them.

The file holds plain SHA-256 digests. That is right for tokens and would be wrong for passwords: a token is 32 random bytes,
which nobody guesses however fast the hash is, so that slowness and salt would only cost time at each call.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import hmac
import logging
import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from codesieve.server.callers import Caller, Quota, Scope
from codesieve.server.errors import NotAllowed, Unauthenticated

log = logging.getLogger(__name__)

HOW = "send the metadata authorization: Bearer TOKEN"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_FIELDS = (
    "name",
    "sha256",
    "scopes",
    "jobs",
    "samples_in_flight",
    "samples_per_day",
    "weight",
    "expires",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """One entry of the file."""

    digest: bytes
    caller: Caller
    expires: datetime.datetime | None


class TokensFileError(ValueError):
    """The file can't be used. The message is one line that names the file, and each entry and field at fault."""


def read(path: Path) -> tuple[Token, ...]:
    """The file's tokens. Raises `TokensFileError`."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TokensFileError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise TokensFileError(f"{path}: is not TOML: {error}") from error
    entries = values.get("token")
    if set(values) != {"token"} or not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise TokensFileError(f"{path}: must hold [[token]] entries and nothing else")
    faults: list[str] = []
    tokens = [_token(entry, f"token {number}", faults) for number, entry in enumerate(entries, 1)]
    _compare(tokens, faults)
    if faults:
        raise TokensFileError(f"{path}: {'; '.join(faults)}")
    return tuple(tokens)


def _token(entry: Mapping[str, Any], here: str, faults: list[str]) -> Token:
    """One entry; faults are added with the entry's number and name."""
    name = entry.get("name")
    if isinstance(name, str) and _NAME.fullmatch(name):
        here = f"{here} ({name})"
    else:
        faults.append(f"{here}: name must be 1 to 63 letters, digits and . _ @ -, beginning with a letter or a digit")
    faults += [f"{here}: there is no field {field!r}" for field in entry if field not in _FIELDS]
    digest = entry.get("sha256")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        faults.append(f"{here}: sha256 must be the token's SHA-256, 64 hex digits")
        digest = ""
    scopes = entry.get("scopes")
    known = {each.value for each in Scope}
    if not isinstance(scopes, list) or not scopes or not all(isinstance(one, str) and one in known for one in scopes):
        faults.append(f"{here}: scopes must be a list of some of {', '.join(sorted(known))}")
        scopes = []
    bounds: dict[str, int] = {}
    for field in ("jobs", "samples_in_flight", "samples_per_day"):
        value = entry.get(field)
        if value is None:
            continue
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            bounds[field] = value
        else:
            faults.append(f"{here}: {field} must be a whole number of at least 1")
    weight = entry.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not (math.isfinite(weight) and weight > 0):
        faults.append(f"{here}: weight must be a number greater than 0")
        weight = 1.0
    expires = entry.get("expires")
    if expires is not None and (not isinstance(expires, datetime.datetime) or expires.tzinfo is None):
        faults.append(f"{here}: expires must be a date and time with its offset, for example 2027-01-31T00:00:00Z")
        expires = None
    quota = Quota(weight=float(weight), **bounds)
    return Token(bytes.fromhex(digest), Caller(str(name), frozenset(Scope(one) for one in scopes), quota), expires)


def _compare(tokens: Sequence[Token], faults: list[str]) -> None:
    """What is wrong with entries beside one another."""
    quotas: dict[str, tuple[int, Quota]] = {}
    digests: dict[bytes, int] = {}
    for number, token in enumerate(tokens, 1):
        name = token.caller.name
        first, quota = quotas.setdefault(name, (number, token.caller.quota))
        if quota != token.caller.quota:
            faults.append(f"token {number} ({name}): jobs, samples and weight must be those of token {first} ({name})")
        first = digests.setdefault(token.digest, number)
        if first != number and token.digest:
            faults.append(f"token {number} ({name}): sha256 is that of token {first}")


class TokenDoor:
    """Lets in who has a token of the file. Raises `TokensFileError`."""

    def __init__(self, path: Path, now: Callable[[], datetime.datetime]) -> None:
        self._path = path
        self._now = now
        self._tokens = read(path)

    def reload(self) -> None:
        """Takes the file as it is now; a broken one changes nothing. Calls under way go on."""
        try:
            self._tokens = read(self._path)
        except TokensFileError as error:
            log.error("the tokens stay as they were", extra={"error": str(error)})
        else:
            log.info("the tokens were read", extra={"tokens": len(self._tokens)})

    async def enter(self, method: str, scope: Scope, metadata: Mapping[str, str]) -> Caller:
        kind, _, given = metadata.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not given:
            raise Unauthenticated(f"this server asks for a token; {HOW}", reason="TOKEN_MISSING")
        digest = hashlib.sha256(given.strip().encode("utf-8", "surrogateescape")).digest()
        found: Token | None = None
        for token in self._tokens:  # all of them, whichever it is: the time tells nothing
            if hmac.compare_digest(token.digest, digest):
                found = token
        if found is None:
            raise Unauthenticated(f"the token isn't known here; {HOW} with one of this server", reason="TOKEN_UNKNOWN")
        if found.expires is not None and found.expires <= self._now():
            # Only who has the token learns of it.
            raise Unauthenticated(
                f"the token expired at {found.expires.isoformat()}", reason="TOKEN_EXPIRED", caller=found.caller.name
            )
        if scope not in found.caller.scopes:
            text = f"{method} needs a token with the scope {scope}"
            raise NotAllowed(text, reason="SCOPE_MISSING", caller=found.caller.name)
        return found.caller

    def quota_of(self, name: str) -> Quota:
        # A caller may be gone from the file while its jobs run on.
        return next((token.caller.quota for token in self._tokens if token.caller.name == name), Quota())
