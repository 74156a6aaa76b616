from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_BATCH: _ClassVar[Priority]
    PRIORITY_INTERACTIVE: _ClassVar[Priority]

class PromptForm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROMPT_FORM_UNSPECIFIED: _ClassVar[PromptForm]
    PROMPT_FORM_COMPLETION: _ClassVar[PromptForm]
    PROMPT_FORM_CHAT: _ClassVar[PromptForm]
PRIORITY_UNSPECIFIED: Priority
PRIORITY_BATCH: Priority
PRIORITY_INTERACTIVE: Priority
PROMPT_FORM_UNSPECIFIED: PromptForm
PROMPT_FORM_COMPLETION: PromptForm
PROMPT_FORM_CHAT: PromptForm

class Problem(_message.Message):
    __slots__ = ("problem_id", "prompt", "entry_point", "check_function", "assertions", "stdio", "script", "canonical_solution")
    PROBLEM_ID_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    ENTRY_POINT_FIELD_NUMBER: _ClassVar[int]
    CHECK_FUNCTION_FIELD_NUMBER: _ClassVar[int]
    ASSERTIONS_FIELD_NUMBER: _ClassVar[int]
    STDIO_FIELD_NUMBER: _ClassVar[int]
    SCRIPT_FIELD_NUMBER: _ClassVar[int]
    CANONICAL_SOLUTION_FIELD_NUMBER: _ClassVar[int]
    problem_id: str
    prompt: bytes
    entry_point: str
    check_function: bytes
    assertions: AssertionTests
    stdio: StdioTests
    script: ScriptTests
    canonical_solution: bytes
    def __init__(self, problem_id: _Optional[str] = ..., prompt: _Optional[bytes] = ..., entry_point: _Optional[str] = ..., check_function: _Optional[bytes] = ..., assertions: _Optional[_Union[AssertionTests, _Mapping]] = ..., stdio: _Optional[_Union[StdioTests, _Mapping]] = ..., script: _Optional[_Union[ScriptTests, _Mapping]] = ..., canonical_solution: _Optional[bytes] = ...) -> None: ...

class AssertionTests(_message.Message):
    __slots__ = ("assertions", "setup")
    ASSERTIONS_FIELD_NUMBER: _ClassVar[int]
    SETUP_FIELD_NUMBER: _ClassVar[int]
    assertions: _containers.RepeatedScalarFieldContainer[bytes]
    setup: bytes
    def __init__(self, assertions: _Optional[_Iterable[bytes]] = ..., setup: _Optional[bytes] = ...) -> None: ...

class StdioTests(_message.Message):
    __slots__ = ("cases", "comparison", "tolerance", "checker")
    class Comparison(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        COMPARISON_UNSPECIFIED: _ClassVar[StdioTests.Comparison]
        EXACT: _ClassVar[StdioTests.Comparison]
        TOKENS: _ClassVar[StdioTests.Comparison]
        FLOATS: _ClassVar[StdioTests.Comparison]
    COMPARISON_UNSPECIFIED: StdioTests.Comparison
    EXACT: StdioTests.Comparison
    TOKENS: StdioTests.Comparison
    FLOATS: StdioTests.Comparison
    CASES_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    TOLERANCE_FIELD_NUMBER: _ClassVar[int]
    CHECKER_FIELD_NUMBER: _ClassVar[int]
    cases: _containers.RepeatedCompositeFieldContainer[StdioCase]
    comparison: StdioTests.Comparison
    tolerance: float
    checker: bytes
    def __init__(self, cases: _Optional[_Iterable[_Union[StdioCase, _Mapping]]] = ..., comparison: _Optional[_Union[StdioTests.Comparison, str]] = ..., tolerance: _Optional[float] = ..., checker: _Optional[bytes] = ...) -> None: ...

class StdioCase(_message.Message):
    __slots__ = ("stdin", "stdout")
    STDIN_FIELD_NUMBER: _ClassVar[int]
    STDOUT_FIELD_NUMBER: _ClassVar[int]
    stdin: bytes
    stdout: bytes
    def __init__(self, stdin: _Optional[bytes] = ..., stdout: _Optional[bytes] = ...) -> None: ...

class ScriptTests(_message.Message):
    __slots__ = ("script", "framework", "module")
    class Framework(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FRAMEWORK_UNSPECIFIED: _ClassVar[ScriptTests.Framework]
        UNITTEST: _ClassVar[ScriptTests.Framework]
        PYTEST: _ClassVar[ScriptTests.Framework]
    FRAMEWORK_UNSPECIFIED: ScriptTests.Framework
    UNITTEST: ScriptTests.Framework
    PYTEST: ScriptTests.Framework
    SCRIPT_FIELD_NUMBER: _ClassVar[int]
    FRAMEWORK_FIELD_NUMBER: _ClassVar[int]
    MODULE_FIELD_NUMBER: _ClassVar[int]
    script: bytes
    framework: ScriptTests.Framework
    module: str
    def __init__(self, script: _Optional[bytes] = ..., framework: _Optional[_Union[ScriptTests.Framework, str]] = ..., module: _Optional[str] = ...) -> None: ...

class ProblemSource(_message.Message):
    __slots__ = ("dataset", "inline", "limit")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    INLINE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    inline: ProblemList
    limit: int
    def __init__(self, dataset: _Optional[str] = ..., inline: _Optional[_Union[ProblemList, _Mapping]] = ..., limit: _Optional[int] = ...) -> None: ...

class ProblemList(_message.Message):
    __slots__ = ("problems",)
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    def __init__(self, problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("cpu_time_limit", "wall_time_limit", "memory_limit_bytes", "output_limit_bytes", "file_size_limit_bytes", "process_limit")
    CPU_TIME_LIMIT_FIELD_NUMBER: _ClassVar[int]
    WALL_TIME_LIMIT_FIELD_NUMBER: _ClassVar[int]
    MEMORY_LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    FILE_SIZE_LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    PROCESS_LIMIT_FIELD_NUMBER: _ClassVar[int]
    cpu_time_limit: _duration_pb2.Duration
    wall_time_limit: _duration_pb2.Duration
    memory_limit_bytes: int
    output_limit_bytes: int
    file_size_limit_bytes: int
    process_limit: int
    def __init__(self, cpu_time_limit: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., wall_time_limit: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., memory_limit_bytes: _Optional[int] = ..., output_limit_bytes: _Optional[int] = ..., file_size_limit_bytes: _Optional[int] = ..., process_limit: _Optional[int] = ...) -> None: ...

class Sample(_message.Message):
    __slots__ = ("sample_id", "problem_id", "temperature", "index", "completion", "token_count", "cumulative_logprob", "finish_reason", "token_logprobs", "prompt_form", "answer", "reasoning", "weights_version", "adapter")
    class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FINISH_REASON_UNSPECIFIED: _ClassVar[Sample.FinishReason]
        STOP: _ClassVar[Sample.FinishReason]
        LENGTH: _ClassVar[Sample.FinishReason]
    FINISH_REASON_UNSPECIFIED: Sample.FinishReason
    STOP: Sample.FinishReason
    LENGTH: Sample.FinishReason
    SAMPLE_ID_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_ID_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    CUMULATIVE_LOGPROB_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    TOKEN_LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FORM_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    REASONING_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_VERSION_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    sample_id: str
    problem_id: str
    temperature: float
    index: int
    completion: bytes
    token_count: int
    cumulative_logprob: float
    finish_reason: Sample.FinishReason
    token_logprobs: _containers.RepeatedScalarFieldContainer[float]
    prompt_form: PromptForm
    answer: bytes
    reasoning: bytes
    weights_version: str
    adapter: str
    def __init__(self, sample_id: _Optional[str] = ..., problem_id: _Optional[str] = ..., temperature: _Optional[float] = ..., index: _Optional[int] = ..., completion: _Optional[bytes] = ..., token_count: _Optional[int] = ..., cumulative_logprob: _Optional[float] = ..., finish_reason: _Optional[_Union[Sample.FinishReason, str]] = ..., token_logprobs: _Optional[_Iterable[float]] = ..., prompt_form: _Optional[_Union[PromptForm, str]] = ..., answer: _Optional[bytes] = ..., reasoning: _Optional[bytes] = ..., weights_version: _Optional[str] = ..., adapter: _Optional[str] = ...) -> None: ...

class Judgement(_message.Message):
    __slots__ = ("verdict", "unjudged", "integrity", "cached", "detail", "wall_time", "cpu_time", "peak_memory_bytes", "stdout", "stderr", "tests")
    class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        VERDICT_UNSPECIFIED: _ClassVar[Judgement.Verdict]
        PASSED: _ClassVar[Judgement.Verdict]
        FAILED: _ClassVar[Judgement.Verdict]
        RAISED: _ClassVar[Judgement.Verdict]
        SYNTAX_ERROR: _ClassVar[Judgement.Verdict]
        TIMED_OUT: _ClassVar[Judgement.Verdict]
        OUT_OF_MEMORY: _ClassVar[Judgement.Verdict]
        OUTPUT_LIMIT: _ClassVar[Judgement.Verdict]
        CRASHED: _ClassVar[Judgement.Verdict]
        TAMPERED: _ClassVar[Judgement.Verdict]
    VERDICT_UNSPECIFIED: Judgement.Verdict
    PASSED: Judgement.Verdict
    FAILED: Judgement.Verdict
    RAISED: Judgement.Verdict
    SYNTAX_ERROR: Judgement.Verdict
    TIMED_OUT: Judgement.Verdict
    OUT_OF_MEMORY: Judgement.Verdict
    OUTPUT_LIMIT: Judgement.Verdict
    CRASHED: Judgement.Verdict
    TAMPERED: Judgement.Verdict
    class Integrity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        INTEGRITY_UNSPECIFIED: _ClassVar[Judgement.Integrity]
        SHARED: _ClassVar[Judgement.Integrity]
        SPLIT: _ClassVar[Judgement.Integrity]
    INTEGRITY_UNSPECIFIED: Judgement.Integrity
    SHARED: Judgement.Integrity
    SPLIT: Judgement.Integrity
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    UNJUDGED_FIELD_NUMBER: _ClassVar[int]
    INTEGRITY_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    WALL_TIME_FIELD_NUMBER: _ClassVar[int]
    CPU_TIME_FIELD_NUMBER: _ClassVar[int]
    PEAK_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    STDOUT_FIELD_NUMBER: _ClassVar[int]
    STDERR_FIELD_NUMBER: _ClassVar[int]
    TESTS_FIELD_NUMBER: _ClassVar[int]
    verdict: Judgement.Verdict
    unjudged: Unjudged
    integrity: Judgement.Integrity
    cached: bool
    detail: str
    wall_time: _duration_pb2.Duration
    cpu_time: _duration_pb2.Duration
    peak_memory_bytes: int
    stdout: bytes
    stderr: bytes
    tests: _containers.RepeatedCompositeFieldContainer[TestResult]
    def __init__(self, verdict: _Optional[_Union[Judgement.Verdict, str]] = ..., unjudged: _Optional[_Union[Unjudged, _Mapping]] = ..., integrity: _Optional[_Union[Judgement.Integrity, str]] = ..., cached: bool = ..., detail: _Optional[str] = ..., wall_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., cpu_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., peak_memory_bytes: _Optional[int] = ..., stdout: _Optional[bytes] = ..., stderr: _Optional[bytes] = ..., tests: _Optional[_Iterable[_Union[TestResult, _Mapping]]] = ...) -> None: ...

class TestResult(_message.Message):
    __slots__ = ("name", "verdict", "detail", "input", "output", "wall_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    WALL_TIME_FIELD_NUMBER: _ClassVar[int]
    name: bytes
    verdict: Judgement.Verdict
    detail: str
    input: bytes
    output: bytes
    wall_time: _duration_pb2.Duration
    def __init__(self, name: _Optional[bytes] = ..., verdict: _Optional[_Union[Judgement.Verdict, str]] = ..., detail: _Optional[str] = ..., input: _Optional[bytes] = ..., output: _Optional[bytes] = ..., wall_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Unjudged(_message.Message):
    __slots__ = ("reason", "message")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...
