from codesieve.v1 import types_pb2 as _types_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class JudgeRequest(_message.Message):
    __slots__ = ("setup", "item")
    SETUP_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    setup: JudgeSetup
    item: JudgeItem
    def __init__(self, setup: _Optional[_Union[JudgeSetup, _Mapping]] = ..., item: _Optional[_Union[JudgeItem, _Mapping]] = ...) -> None: ...

class JudgeSetup(_message.Message):
    __slots__ = ("problems", "limits", "priority")
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    problems: _types_pb2.ProblemSource
    limits: _types_pb2.Limits
    priority: _types_pb2.Priority
    def __init__(self, problems: _Optional[_Union[_types_pb2.ProblemSource, _Mapping]] = ..., limits: _Optional[_Union[_types_pb2.Limits, _Mapping]] = ..., priority: _Optional[_Union[_types_pb2.Priority, str]] = ...) -> None: ...

class JudgeItem(_message.Message):
    __slots__ = ("id", "problem_id", "completion")
    ID_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_ID_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    id: str
    problem_id: str
    completion: bytes
    def __init__(self, id: _Optional[str] = ..., problem_id: _Optional[str] = ..., completion: _Optional[bytes] = ...) -> None: ...

class JudgeResponse(_message.Message):
    __slots__ = ("id", "judgement")
    ID_FIELD_NUMBER: _ClassVar[int]
    JUDGEMENT_FIELD_NUMBER: _ClassVar[int]
    id: str
    judgement: _types_pb2.Judgement
    def __init__(self, id: _Optional[str] = ..., judgement: _Optional[_Union[_types_pb2.Judgement, _Mapping]] = ...) -> None: ...
