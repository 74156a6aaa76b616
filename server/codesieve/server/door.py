"""The door: who may come in, asked before every rpc and before its message is read. `tokens.TokenDoor` asks for tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from codesieve.server.callers import ANYONE, Caller, Quota, Scope


class Door(Protocol):
    """Decides who calls and what they may."""

    async def enter(self, method: str, scope: Scope, metadata: Mapping[str, str]) -> Caller:
        """The caller of an rpc. Raises `Unauthenticated`, and `NotAllowed` where its token lacks `scope`."""

    def quota_of(self, name: str) -> Quota:
        """The present quota of the caller of this name, for what runs without a call: its jobs."""


class OpenDoor:
    """Everybody may do everything: for a server that only this machine reaches."""

    async def enter(self, method: str, scope: Scope, metadata: Mapping[str, str]) -> Caller:
        return ANYONE

    def quota_of(self, name: str) -> Quota:
        return ANYONE.quota
