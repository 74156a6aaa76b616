"""``codesieve.v1.ModelService``: loading models, and handing weight updates to their workers."""

from __future__ import annotations

import json

from codesieve.server.callers import Scope
from codesieve.server.convert import answers
from codesieve.server.door import Door
from codesieve.server.errors import InvalidRequest, Violation
from codesieve.server.interceptors import Call, rpc
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.v1 import model_pb2, model_pb2_grpc

MAX_SOURCE = 1024


class ModelService(model_pb2_grpc.ModelServiceServicer):
    """The models that the server samples from."""

    def __init__(self, models: ModelRegistry, metrics: Metrics, door: Door) -> None:
        self._models = models
        self.metrics = metrics
        self.door = door

    @rpc(Scope.READ)
    async def ListModels(self, request: model_pb2.ListModelsRequest, call: Call) -> model_pb2.ListModelsResponse:
        return model_pb2.ListModelsResponse(models=[answers.model(one) for one in self._models.list()])

    @rpc(Scope.ADMIN)
    async def LoadModel(self, request: model_pb2.LoadModelRequest, call: Call) -> model_pb2.Model:
        source = request.source
        if not (source.strip() and source.isprintable() and len(source) <= MAX_SOURCE):
            raise InvalidRequest([Violation("source", "must be a directory, a URL or replay:FILE")])
        return answers.model(await self._models.load(request.source))

    @rpc(Scope.ADMIN)
    async def InitWeightTransfer(
        self, request: model_pb2.WeightTransferRequest, call: Call
    ) -> model_pb2.WeightTransferResponse:
        return await self._weights("init_weight_transfer", request)

    @rpc(Scope.ADMIN)
    async def StartWeightUpdate(
        self, request: model_pb2.WeightTransferRequest, call: Call
    ) -> model_pb2.WeightTransferResponse:
        return await self._weights("start_weight_update", request)

    @rpc(Scope.ADMIN)
    async def UpdateWeights(
        self, request: model_pb2.WeightTransferRequest, call: Call
    ) -> model_pb2.WeightTransferResponse:
        return await self._weights("update_weights", request)

    @rpc(Scope.ADMIN)
    async def FinishWeightUpdate(
        self, request: model_pb2.WeightTransferRequest, call: Call
    ) -> model_pb2.WeightTransferResponse:
        return await self._weights("finish_weight_update", request)

    async def _weights(self, call: str, request: model_pb2.WeightTransferRequest) -> model_pb2.WeightTransferResponse:
        try:
            options = json.loads(request.options_json or b"{}")
        except ValueError as error:
            raise InvalidRequest([Violation("options_json", f"is not JSON: {error}")]) from error
        except RecursionError as error:
            raise InvalidRequest([Violation("options_json", "is nested too deep")]) from error
        if not isinstance(options, dict):
            raise InvalidRequest([Violation("options_json", "must be a JSON object")])
        await self._models.weights(request.name.removeprefix("models/"), call, options)
        return model_pb2.WeightTransferResponse()
