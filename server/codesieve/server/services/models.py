"""``codesieve.v1.ModelService``: loading models, and what is done to their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codesieve.server.callers import Scope
from codesieve.server.convert import answers
from codesieve.server.convert import weights as requests
from codesieve.server.door import Door
from codesieve.server.errors import InvalidRequest, Violation
from codesieve.server.interceptors import Call, rpc
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.v1 import model_pb2, model_pb2_grpc

if TYPE_CHECKING:
    from codesieve.server.tracing import Traces

MAX_SOURCE = 1024


class ModelService(model_pb2_grpc.ModelServiceServicer):
    """The models that the server samples from."""

    def __init__(self, models: ModelRegistry, metrics: Metrics, door: Door, traces: Traces | None) -> None:
        self._models = models
        self.metrics = metrics
        self.door = door
        self.traces = traces

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
        return await self._transfer("init_weight_transfer", request)

    @rpc(Scope.ADMIN)
    async def StartWeightUpdate(
        self, request: model_pb2.WeightTransferRequest, call: Call
    ) -> model_pb2.WeightTransferResponse:
        return await self._transfer("start_weight_update", request)

    @rpc(Scope.ADMIN)
    async def UpdateWeights(
        self, request: model_pb2.WeightTransferRequest, call: Call
    ) -> model_pb2.WeightTransferResponse:
        return await self._transfer("update_weights", request)

    @rpc(Scope.ADMIN)
    async def FinishWeightUpdate(
        self, request: model_pb2.WeightTransferRequest, call: Call
    ) -> model_pb2.WeightTransferResponse:
        options, version = requests.transfer_options(request), requests.weights_version(request)
        weights, pool = self._models.weights(requests.model_of(request))
        await weights.finish_update(pool, options, version)
        return model_pb2.WeightTransferResponse(weights_version=weights.version(pool))

    @rpc(Scope.ADMIN)
    async def LoadWeights(self, request: model_pb2.LoadWeightsRequest, call: Call) -> model_pb2.Model:
        directory, version = requests.directory(request), requests.weights_version(request)
        weights, pool = self._models.weights(requests.model_of(request))
        await weights.load(pool, directory, version)
        return self._answer(request)

    @rpc(Scope.ADMIN)
    async def PauseGeneration(self, request: model_pb2.PauseGenerationRequest, call: Call) -> model_pb2.Model:
        mode = requests.pause_mode(request)
        weights, pool = self._models.weights(requests.model_of(request))
        await weights.pause(pool, mode)
        return self._answer(request)

    @rpc(Scope.ADMIN)
    async def ResumeGeneration(self, request: model_pb2.ResumeGenerationRequest, call: Call) -> model_pb2.Model:
        weights, pool = self._models.weights(requests.model_of(request))
        await weights.resume(pool)
        return self._answer(request)

    @rpc(Scope.ADMIN)
    async def Sleep(self, request: model_pb2.SleepRequest, call: Call) -> model_pb2.Model:
        level = requests.sleep_level(request)
        weights, pool = self._models.weights(requests.model_of(request))
        await weights.sleep(pool, level)
        return self._answer(request)

    @rpc(Scope.ADMIN)
    async def WakeUp(self, request: model_pb2.WakeUpRequest, call: Call) -> model_pb2.Model:
        tags = requests.wake_tags(request)
        weights, pool = self._models.weights(requests.model_of(request))
        await weights.wake_up(pool, tags)
        return self._answer(request)

    @rpc(Scope.ADMIN)
    async def LoadAdapter(self, request: model_pb2.LoadAdapterRequest, call: Call) -> model_pb2.Model:
        name, directory = requests.adapter(request), requests.directory(request)
        weights, pool = self._models.weights(requests.model_of(request))
        await weights.load_adapter(pool, name, directory)
        return self._answer(request)

    @rpc(Scope.ADMIN)
    async def UnloadAdapter(self, request: model_pb2.UnloadAdapterRequest, call: Call) -> model_pb2.Model:
        name = requests.adapter(request)
        weights, pool = self._models.weights(requests.model_of(request))
        await weights.unload_adapter(pool, name)
        return self._answer(request)

    async def _transfer(self, call: str, request: model_pb2.WeightTransferRequest) -> model_pb2.WeightTransferResponse:
        options = requests.transfer_options(request)
        weights, pool = self._models.weights(requests.model_of(request))
        await weights.transfer(pool, call, options)
        return model_pb2.WeightTransferResponse(weights_version=weights.version(pool))

    def _answer(self, request: requests.NamesModel) -> model_pb2.Model:
        return answers.model(self._models.get(requests.model_of(request)))
