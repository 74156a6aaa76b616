from codesieve.v1 import job_pb2 as _job_pb2
from codesieve.v1 import types_pb2 as _types_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetServerRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class Server(_message.Message):
    __slots__ = ("name", "version", "start_time", "read_time", "sandbox", "workers", "queues", "jobs", "totals", "rpcs_in_flight", "waiting")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    READ_TIME_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    RPCS_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    start_time: _timestamp_pb2.Timestamp
    read_time: _timestamp_pb2.Timestamp
    sandbox: str
    workers: _containers.RepeatedCompositeFieldContainer[Worker]
    queues: _containers.RepeatedCompositeFieldContainer[Queue]
    jobs: _containers.RepeatedCompositeFieldContainer[ServerJob]
    totals: Totals
    rpcs_in_flight: int
    waiting: WaitingJobs
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., read_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., sandbox: _Optional[str] = ..., workers: _Optional[_Iterable[_Union[Worker, _Mapping]]] = ..., queues: _Optional[_Iterable[_Union[Queue, _Mapping]]] = ..., jobs: _Optional[_Iterable[_Union[ServerJob, _Mapping]]] = ..., totals: _Optional[_Union[Totals, _Mapping]] = ..., rpcs_in_flight: _Optional[int] = ..., waiting: _Optional[_Union[WaitingJobs, _Mapping]] = ...) -> None: ...

class Worker(_message.Message):
    __slots__ = ("pool", "place", "state", "kind", "detail", "capacity", "in_hand", "lost")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Worker.State]
        STARTING: _ClassVar[Worker.State]
        RUNNING: _ClassVar[Worker.State]
        RESTING: _ClassVar[Worker.State]
    STATE_UNSPECIFIED: Worker.State
    STARTING: Worker.State
    RUNNING: Worker.State
    RESTING: Worker.State
    POOL_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    IN_HAND_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    pool: str
    place: int
    state: Worker.State
    kind: str
    detail: str
    capacity: int
    in_hand: int
    lost: int
    def __init__(self, pool: _Optional[str] = ..., place: _Optional[int] = ..., state: _Optional[_Union[Worker.State, str]] = ..., kind: _Optional[str] = ..., detail: _Optional[str] = ..., capacity: _Optional[int] = ..., in_hand: _Optional[int] = ..., lost: _Optional[int] = ...) -> None: ...

class Queue(_message.Message):
    __slots__ = ("hop", "depth", "oldest_age")
    HOP_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    OLDEST_AGE_FIELD_NUMBER: _ClassVar[int]
    hop: str
    depth: int
    oldest_age: _duration_pb2.Duration
    def __init__(self, hop: _Optional[str] = ..., depth: _Optional[int] = ..., oldest_age: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class WaitingJobs(_message.Message):
    __slots__ = ("count", "oldest_age", "jobs")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    OLDEST_AGE_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    count: int
    oldest_age: _duration_pb2.Duration
    jobs: _containers.RepeatedCompositeFieldContainer[ServerJob]
    def __init__(self, count: _Optional[int] = ..., oldest_age: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., jobs: _Optional[_Iterable[_Union[ServerJob, _Mapping]]] = ...) -> None: ...

class ServerJob(_message.Message):
    __slots__ = ("name", "caller", "state", "model", "start_time", "progress", "create_time", "model_ready")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    MODEL_READY_FIELD_NUMBER: _ClassVar[int]
    name: str
    caller: str
    state: _job_pb2.Job.State
    model: str
    start_time: _timestamp_pb2.Timestamp
    progress: _job_pb2.Progress
    create_time: _timestamp_pb2.Timestamp
    model_ready: bool
    def __init__(self, name: _Optional[str] = ..., caller: _Optional[str] = ..., state: _Optional[_Union[_job_pb2.Job.State, str]] = ..., model: _Optional[str] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., progress: _Optional[_Union[_job_pb2.Progress, _Mapping]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., model_ready: bool = ...) -> None: ...

class Totals(_message.Message):
    __slots__ = ("samples_generated", "verdicts", "samples_unjudged", "cache_hits", "tokens")
    SAMPLES_GENERATED_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_UNJUDGED_FIELD_NUMBER: _ClassVar[int]
    CACHE_HITS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    samples_generated: int
    verdicts: _containers.RepeatedCompositeFieldContainer[VerdictCount]
    samples_unjudged: int
    cache_hits: int
    tokens: _containers.RepeatedCompositeFieldContainer[TokenCount]
    def __init__(self, samples_generated: _Optional[int] = ..., verdicts: _Optional[_Iterable[_Union[VerdictCount, _Mapping]]] = ..., samples_unjudged: _Optional[int] = ..., cache_hits: _Optional[int] = ..., tokens: _Optional[_Iterable[_Union[TokenCount, _Mapping]]] = ...) -> None: ...

class VerdictCount(_message.Message):
    __slots__ = ("verdict", "count")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    verdict: _types_pb2.Judgement.Verdict
    count: int
    def __init__(self, verdict: _Optional[_Union[_types_pb2.Judgement.Verdict, str]] = ..., count: _Optional[int] = ...) -> None: ...

class TokenCount(_message.Message):
    __slots__ = ("model", "count")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    model: str
    count: int
    def __init__(self, model: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...
