from codesieve.v1 import provenance_pb2 as _provenance_pb2
from codesieve.v1 import types_pb2 as _types_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import empty_pb2 as _empty_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Job(_message.Message):
    __slots__ = ("name", "state", "problems", "generation", "recorded", "limits", "k", "create_time", "start_time", "end_time", "progress", "report", "failure", "priority", "timeout", "rejudge_of", "provenance", "counted_samples_per_problem")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Job.State]
        PENDING: _ClassVar[Job.State]
        RUNNING: _ClassVar[Job.State]
        SUCCEEDED: _ClassVar[Job.State]
        FAILED: _ClassVar[Job.State]
        CANCELLED: _ClassVar[Job.State]
    STATE_UNSPECIFIED: Job.State
    PENDING: Job.State
    RUNNING: Job.State
    SUCCEEDED: Job.State
    FAILED: Job.State
    CANCELLED: Job.State
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    REJUDGE_OF_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    COUNTED_SAMPLES_PER_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: Job.State
    problems: _types_pb2.ProblemSource
    generation: Generation
    recorded: RecordedSamples
    limits: _types_pb2.Limits
    k: _containers.RepeatedScalarFieldContainer[int]
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    progress: Progress
    report: Report
    failure: Failure
    priority: _types_pb2.Priority
    timeout: _duration_pb2.Duration
    rejudge_of: str
    provenance: _provenance_pb2.Provenance
    counted_samples_per_problem: int
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[Job.State, str]] = ..., problems: _Optional[_Union[_types_pb2.ProblemSource, _Mapping]] = ..., generation: _Optional[_Union[Generation, _Mapping]] = ..., recorded: _Optional[_Union[RecordedSamples, _Mapping]] = ..., limits: _Optional[_Union[_types_pb2.Limits, _Mapping]] = ..., k: _Optional[_Iterable[int]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., report: _Optional[_Union[Report, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., priority: _Optional[_Union[_types_pb2.Priority, str]] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., rejudge_of: _Optional[str] = ..., provenance: _Optional[_Union[_provenance_pb2.Provenance, _Mapping]] = ..., counted_samples_per_problem: _Optional[int] = ...) -> None: ...

class Generation(_message.Message):
    __slots__ = ("model", "temperatures", "samples_per_problem", "top_p", "max_tokens", "stop", "seed", "top_k", "min_p", "token_logprobs", "prompt_form", "weights_version", "adapter", "early_stop")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURES_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_PER_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    MIN_P_FIELD_NUMBER: _ClassVar[int]
    TOKEN_LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FORM_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_VERSION_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    EARLY_STOP_FIELD_NUMBER: _ClassVar[int]
    model: str
    temperatures: _containers.RepeatedScalarFieldContainer[float]
    samples_per_problem: int
    top_p: float
    max_tokens: int
    stop: _containers.RepeatedScalarFieldContainer[str]
    seed: int
    top_k: int
    min_p: float
    token_logprobs: bool
    prompt_form: _types_pb2.PromptForm
    weights_version: str
    adapter: str
    early_stop: EarlyStop
    def __init__(self, model: _Optional[str] = ..., temperatures: _Optional[_Iterable[float]] = ..., samples_per_problem: _Optional[int] = ..., top_p: _Optional[float] = ..., max_tokens: _Optional[int] = ..., stop: _Optional[_Iterable[str]] = ..., seed: _Optional[int] = ..., top_k: _Optional[int] = ..., min_p: _Optional[float] = ..., token_logprobs: bool = ..., prompt_form: _Optional[_Union[_types_pb2.PromptForm, str]] = ..., weights_version: _Optional[str] = ..., adapter: _Optional[str] = ..., early_stop: _Optional[_Union[EarlyStop, _Mapping]] = ...) -> None: ...

class EarlyStop(_message.Message):
    __slots__ = ("passes", "interval_width", "min_samples")
    PASSES_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_WIDTH_FIELD_NUMBER: _ClassVar[int]
    MIN_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    passes: int
    interval_width: float
    min_samples: int
    def __init__(self, passes: _Optional[int] = ..., interval_width: _Optional[float] = ..., min_samples: _Optional[int] = ...) -> None: ...

class RecordedSamples(_message.Message):
    __slots__ = ("samples",)
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    samples: _containers.RepeatedCompositeFieldContainer[_types_pb2.Sample]
    def __init__(self, samples: _Optional[_Iterable[_Union[_types_pb2.Sample, _Mapping]]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("samples_total", "samples_generated", "samples_judged", "samples_unjudged", "verdicts", "samples_skipped")
    class VerdictsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SAMPLES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_GENERATED_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_JUDGED_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_UNJUDGED_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_SKIPPED_FIELD_NUMBER: _ClassVar[int]
    samples_total: int
    samples_generated: int
    samples_judged: int
    samples_unjudged: int
    verdicts: _containers.ScalarMap[str, int]
    samples_skipped: int
    def __init__(self, samples_total: _Optional[int] = ..., samples_generated: _Optional[int] = ..., samples_judged: _Optional[int] = ..., samples_unjudged: _Optional[int] = ..., verdicts: _Optional[_Mapping[str, int]] = ..., samples_skipped: _Optional[int] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("reason", "message")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("temperatures", "judge")
    TEMPERATURES_FIELD_NUMBER: _ClassVar[int]
    JUDGE_FIELD_NUMBER: _ClassVar[int]
    temperatures: _containers.RepeatedCompositeFieldContainer[TemperatureReport]
    judge: JudgeReport
    def __init__(self, temperatures: _Optional[_Iterable[_Union[TemperatureReport, _Mapping]]] = ..., judge: _Optional[_Union[JudgeReport, _Mapping]] = ...) -> None: ...

class TemperatureReport(_message.Message):
    __slots__ = ("temperature", "samples", "pass_at_k", "ranking", "samples_planned", "samples_saved", "samples_surplus", "problems_stopped")
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    PASS_AT_K_FIELD_NUMBER: _ClassVar[int]
    RANKING_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_PLANNED_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_SAVED_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_SURPLUS_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_STOPPED_FIELD_NUMBER: _ClassVar[int]
    temperature: float
    samples: int
    pass_at_k: _containers.RepeatedCompositeFieldContainer[PassAtK]
    ranking: Ranking
    samples_planned: int
    samples_saved: int
    samples_surplus: int
    problems_stopped: int
    def __init__(self, temperature: _Optional[float] = ..., samples: _Optional[int] = ..., pass_at_k: _Optional[_Iterable[_Union[PassAtK, _Mapping]]] = ..., ranking: _Optional[_Union[Ranking, _Mapping]] = ..., samples_planned: _Optional[int] = ..., samples_saved: _Optional[int] = ..., samples_surplus: _Optional[int] = ..., problems_stopped: _Optional[int] = ...) -> None: ...

class PassAtK(_message.Message):
    __slots__ = ("k", "value", "interval_low", "interval_high", "problems")
    K_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_LOW_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_HIGH_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    k: int
    value: float
    interval_low: float
    interval_high: float
    problems: int
    def __init__(self, k: _Optional[int] = ..., value: _Optional[float] = ..., interval_low: _Optional[float] = ..., interval_high: _Optional[float] = ..., problems: _Optional[int] = ...) -> None: ...

class Ranking(_message.Message):
    __slots__ = ("mean_logprob", "sum_logprob", "random", "oracle", "problems")
    MEAN_LOGPROB_FIELD_NUMBER: _ClassVar[int]
    SUM_LOGPROB_FIELD_NUMBER: _ClassVar[int]
    RANDOM_FIELD_NUMBER: _ClassVar[int]
    ORACLE_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    mean_logprob: float
    sum_logprob: float
    random: float
    oracle: float
    problems: int
    def __init__(self, mean_logprob: _Optional[float] = ..., sum_logprob: _Optional[float] = ..., random: _Optional[float] = ..., oracle: _Optional[float] = ..., problems: _Optional[int] = ...) -> None: ...

class JudgeReport(_message.Message):
    __slots__ = ("programs_per_second", "wall_seconds", "sandbox")
    PROGRAMS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    WALL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    programs_per_second: float
    wall_seconds: float
    sandbox: str
    def __init__(self, programs_per_second: _Optional[float] = ..., wall_seconds: _Optional[float] = ..., sandbox: _Optional[str] = ...) -> None: ...

class JobEvent(_message.Message):
    __slots__ = ("sequence", "time", "job", "sample_generated", "sample_judged")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_GENERATED_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_JUDGED_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    time: _timestamp_pb2.Timestamp
    job: Job
    sample_generated: _types_pb2.Sample
    sample_judged: SampleJudged
    def __init__(self, sequence: _Optional[int] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., job: _Optional[_Union[Job, _Mapping]] = ..., sample_generated: _Optional[_Union[_types_pb2.Sample, _Mapping]] = ..., sample_judged: _Optional[_Union[SampleJudged, _Mapping]] = ...) -> None: ...

class SampleJudged(_message.Message):
    __slots__ = ("sample_id", "judgement")
    SAMPLE_ID_FIELD_NUMBER: _ClassVar[int]
    JUDGEMENT_FIELD_NUMBER: _ClassVar[int]
    sample_id: str
    judgement: _types_pb2.Judgement
    def __init__(self, sample_id: _Optional[str] = ..., judgement: _Optional[_Union[_types_pb2.Judgement, _Mapping]] = ...) -> None: ...

class CreateJobRequest(_message.Message):
    __slots__ = ("job_id", "job")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    job: Job
    def __init__(self, job_id: _Optional[str] = ..., job: _Optional[_Union[Job, _Mapping]] = ...) -> None: ...

class UploadJobRequest(_message.Message):
    __slots__ = ("create", "problems", "samples")
    CREATE_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    create: CreateJobRequest
    problems: _types_pb2.ProblemList
    samples: RecordedSamples
    def __init__(self, create: _Optional[_Union[CreateJobRequest, _Mapping]] = ..., problems: _Optional[_Union[_types_pb2.ProblemList, _Mapping]] = ..., samples: _Optional[_Union[RecordedSamples, _Mapping]] = ...) -> None: ...

class RejudgeJobRequest(_message.Message):
    __slots__ = ("name", "job_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    job_id: str
    def __init__(self, name: _Optional[str] = ..., job_id: _Optional[str] = ...) -> None: ...

class DeleteJobRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetJobRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListJobsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListJobsResponse(_message.Message):
    __slots__ = ("jobs", "next_page_token")
    JOBS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[Job]
    next_page_token: str
    def __init__(self, jobs: _Optional[_Iterable[_Union[Job, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CancelJobRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class WatchJobRequest(_message.Message):
    __slots__ = ("name", "after_sequence")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    after_sequence: int
    def __init__(self, name: _Optional[str] = ..., after_sequence: _Optional[int] = ...) -> None: ...
