"""``codesieve.v1.ServerService``: the server as its operator sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codesieve.server.callers import Scope
from codesieve.server.convert import server as convert
from codesieve.server.door import Door
from codesieve.server.interceptors import Call, rpc
from codesieve.server.metrics import Metrics
from codesieve.server.overview import Overview
from codesieve.v1 import server_pb2, server_pb2_grpc

if TYPE_CHECKING:
    from codesieve.server.tracing import Traces


class ServerService(server_pb2_grpc.ServerServiceServicer):
    """One look at a time."""

    def __init__(self, overview: Overview, metrics: Metrics, door: Door, traces: Traces | None) -> None:
        self._overview = overview
        self.metrics = metrics
        self.door = door
        self.traces = traces

    @rpc(Scope.ADMIN)
    async def GetServer(self, request: server_pb2.GetServerRequest, call: Call) -> server_pb2.Server:
        convert.check(request)
        return convert.server(await self._overview.look())
