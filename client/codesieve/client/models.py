"""The models that a server samples from, and what is done to their weights: `Client.models` and `AsyncClient.models`.

The calls are the same; each is built once, as an `_Ask`, and the two classes carry it out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from codesieve.client import convert, flows, types
from codesieve.client.requests import model_name
from codesieve.v1 import model_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from codesieve.client.async_client import AsyncClient
    from codesieve.client.sync_client import Client

ModelOrName = str | types.Model


class _Ask(NamedTuple):
    """One call: the arguments of `Client.call`."""

    method: str
    request: Any
    convert_answer: Callable[[Any], Any]
    timeout_seconds: float = flows.LOAD_MODEL_TIMEOUT_SECONDS


def _models(wire: model_pb2.ListModelsResponse) -> tuple[types.Model, ...]:
    return tuple(convert.model(each) for each in wire.models)


def _list() -> _Ask:
    return _Ask("ModelService.ListModels", model_pb2.ListModelsRequest(), _models, flows.UNARY_TIMEOUT_SECONDS)


def _load(source: str) -> _Ask:
    return _Ask("ModelService.LoadModel", model_pb2.LoadModelRequest(source=source), convert.model)


def _load_weights(model: ModelOrName, directory: str, version: str) -> _Ask:
    request = model_pb2.LoadWeightsRequest(name=model_name(model), directory=directory, weights_version=version)
    return _Ask("ModelService.LoadWeights", request, convert.model)


def _pause(model: ModelOrName, mode: types.PauseMode) -> _Ask:
    request = model_pb2.PauseGenerationRequest(name=model_name(model), mode=mode.value)
    return _Ask("ModelService.PauseGeneration", request, convert.model)


def _resume(model: ModelOrName) -> _Ask:
    request = model_pb2.ResumeGenerationRequest(name=model_name(model))
    return _Ask("ModelService.ResumeGeneration", request, convert.model)


def _sleep(model: ModelOrName, level: int) -> _Ask:
    return _Ask("ModelService.Sleep", model_pb2.SleepRequest(name=model_name(model), level=level), convert.model)


def _wake_up(model: ModelOrName, tags: Sequence[str]) -> _Ask:
    return _Ask("ModelService.WakeUp", model_pb2.WakeUpRequest(name=model_name(model), tags=tags), convert.model)


def _load_adapter(model: ModelOrName, adapter: str, directory: str) -> _Ask:
    request = model_pb2.LoadAdapterRequest(name=model_name(model), adapter=adapter, directory=directory)
    return _Ask("ModelService.LoadAdapter", request, convert.model)


def _unload_adapter(model: ModelOrName, adapter: str) -> _Ask:
    request = model_pb2.UnloadAdapterRequest(name=model_name(model), adapter=adapter)
    return _Ask("ModelService.UnloadAdapter", request, convert.model)


def _transfer(method: str, model: ModelOrName, options: Mapping[str, object], version: str = "") -> _Ask:
    request = model_pb2.WeightTransferRequest(
        name=model_name(model), options_json=json.dumps(dict(options)).encode(), weights_version=version
    )
    return _Ask(f"ModelService.{method}", request, lambda answer: answer.weights_version)


class Models:
    """The models that the server samples from. A model is given as itself, by its name or by its bare id."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self) -> tuple[types.Model, ...]:
        """All of them, those still loading included."""
        answer: tuple[types.Model, ...] = self._client.call(*_list())
        return answer

    def load(self, source: str) -> types.Model:
        """Loads a model and waits until it can be used; `source` is a directory on the workers, a URL, "replay:FILE".

        Raises `InvalidRequest`, `NotFound`, `PreconditionFailed` or `ServerError`, as do the calls below.
        """
        answer: types.Model = self._client.call(*_load(source))
        return answer

    def load_weights(self, model: ModelOrName, directory: str, version: str = "") -> types.Model:
        """Loads a checkpoint of the same architecture in place of the present weights, on every worker.

        `directory` is a path on the workers, `version` what samples of it are to say, such as "step-100"; left empty, the
        server counts. Samples in flight go on with the new weights unless the model is paused before.
        """
        answer: types.Model = self._client.call(*_load_weights(model, directory, version))
        return answer

    def pause(self, model: ModelOrName, mode: types.PauseMode = types.PauseMode.ABORT) -> types.Model:
        """Has a model sample no more; its requests wait until `resume`, and its jobs stand still."""
        answer: types.Model = self._client.call(*_pause(model, mode))
        return answer

    def resume(self, model: ModelOrName) -> types.Model:
        """Ends a pause."""
        answer: types.Model = self._client.call(*_resume(model))
        return answer

    def sleep(self, model: ModelOrName, level: int = 1) -> types.Model:
        """Frees the GPU's memory until `wake_up`. At level 2 the weights are thrown away, and others have to come."""
        answer: types.Model = self._client.call(*_sleep(model, level))
        return answer

    def wake_up(self, model: ModelOrName, tags: Sequence[str] = ()) -> types.Model:
        """Takes the memory back: all of it, or that of "weights" or "kv_cache"."""
        answer: types.Model = self._client.call(*_wake_up(model, tags))
        return answer

    def load_adapter(self, model: ModelOrName, adapter: str, directory: str) -> types.Model:
        """Loads a LoRA adapter from a directory on the workers; `Generation.adapter` samples with it by this name."""
        answer: types.Model = self._client.call(*_load_adapter(model, adapter, directory))
        return answer

    def unload_adapter(self, model: ModelOrName, adapter: str) -> types.Model:
        """Forgets an adapter. Samples that are being made with it end without a verdict."""
        answer: types.Model = self._client.call(*_unload_adapter(model, adapter))
        return answer

    def init_weight_transfer(
        self, model: ModelOrName, init_info: Mapping[str, object] | Sequence[Mapping[str, object]]
    ) -> str:
        """Connects the workers to a trainer: the first call of vLLM's RL API.

        Gives the weights' version, as do the next three. `init_info` is vLLM's; of a sequence each worker gets one.
        """
        answer: str = self._client.call(*_transfer("InitWeightTransfer", model, {"init_info": init_info}))
        return answer

    def start_weight_update(self, model: ModelOrName) -> str:
        """Begins an update; requests wait until it is finished."""
        answer: str = self._client.call(*_transfer("StartWeightUpdate", model, {}))
        return answer

    def update_weights(self, model: ModelOrName, update_info: Mapping[str, object]) -> str:
        """Has the workers receive a part of the weights; `update_info` is vLLM's."""
        answer: str = self._client.call(*_transfer("UpdateWeights", model, {"update_info": update_info}))
        return answer

    def finish_weight_update(self, model: ModelOrName, version: str = "") -> str:
        """Ends an update. `version` is what samples of the new weights are to say; left empty, the server counts."""
        answer: str = self._client.call(*_transfer("FinishWeightUpdate", model, {}, version))
        return answer


class AsyncModels:
    """The models that the server samples from. A model is given as itself, by its name or by its bare id."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(self) -> tuple[types.Model, ...]:
        """All of them, those still loading included."""
        answer: tuple[types.Model, ...] = await self._client.call(*_list())
        return answer

    async def load(self, source: str) -> types.Model:
        """Loads a model and waits until it can be used; `source` is a directory on the workers, a URL, "replay:FILE".

        Raises `InvalidRequest`, `NotFound`, `PreconditionFailed` or `ServerError`, as do the calls below.
        """
        answer: types.Model = await self._client.call(*_load(source))
        return answer

    async def load_weights(self, model: ModelOrName, directory: str, version: str = "") -> types.Model:
        """Loads a checkpoint of the same architecture in place of the present weights, on every worker.

        `directory` is a path on the workers, `version` what samples of it are to say, such as "step-100"; left empty, the
        server counts. Samples in flight go on with the new weights unless the model is paused before.
        """
        answer: types.Model = await self._client.call(*_load_weights(model, directory, version))
        return answer

    async def pause(self, model: ModelOrName, mode: types.PauseMode = types.PauseMode.ABORT) -> types.Model:
        """Has a model sample no more; its requests wait until `resume`, and its jobs stand still."""
        answer: types.Model = await self._client.call(*_pause(model, mode))
        return answer

    async def resume(self, model: ModelOrName) -> types.Model:
        """Ends a pause."""
        answer: types.Model = await self._client.call(*_resume(model))
        return answer

    async def sleep(self, model: ModelOrName, level: int = 1) -> types.Model:
        """Frees the GPU's memory until `wake_up`. At level 2 the weights are thrown away, and others have to come."""
        answer: types.Model = await self._client.call(*_sleep(model, level))
        return answer

    async def wake_up(self, model: ModelOrName, tags: Sequence[str] = ()) -> types.Model:
        """Takes the memory back: all of it, or that of "weights" or "kv_cache"."""
        answer: types.Model = await self._client.call(*_wake_up(model, tags))
        return answer

    async def load_adapter(self, model: ModelOrName, adapter: str, directory: str) -> types.Model:
        """Loads a LoRA adapter from a directory on the workers; `Generation.adapter` samples with it by this name."""
        answer: types.Model = await self._client.call(*_load_adapter(model, adapter, directory))
        return answer

    async def unload_adapter(self, model: ModelOrName, adapter: str) -> types.Model:
        """Forgets an adapter. Samples that are being made with it end without a verdict."""
        answer: types.Model = await self._client.call(*_unload_adapter(model, adapter))
        return answer

    async def init_weight_transfer(
        self, model: ModelOrName, init_info: Mapping[str, object] | Sequence[Mapping[str, object]]
    ) -> str:
        """Connects the workers to a trainer: the first call of vLLM's RL API.

        Gives the weights' version, as do the next three. `init_info` is vLLM's; of a sequence each worker gets one.
        """
        answer: str = await self._client.call(*_transfer("InitWeightTransfer", model, {"init_info": init_info}))
        return answer

    async def start_weight_update(self, model: ModelOrName) -> str:
        """Begins an update; requests wait until it is finished."""
        answer: str = await self._client.call(*_transfer("StartWeightUpdate", model, {}))
        return answer

    async def update_weights(self, model: ModelOrName, update_info: Mapping[str, object]) -> str:
        """Has the workers receive a part of the weights; `update_info` is vLLM's."""
        answer: str = await self._client.call(*_transfer("UpdateWeights", model, {"update_info": update_info}))
        return answer

    async def finish_weight_update(self, model: ModelOrName, version: str = "") -> str:
        """Ends an update. `version` is what samples of the new weights are to say; left empty, the server counts."""
        answer: str = await self._client.call(*_transfer("FinishWeightUpdate", model, {}, version))
        return answer
