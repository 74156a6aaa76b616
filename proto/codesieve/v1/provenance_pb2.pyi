from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Provenance(_message.Message):
    __slots__ = ("codesieve_version", "problems_digest", "engine", "cells", "changes")
    class Engine(_message.Message):
        __slots__ = ("kind", "version", "source", "weights_version", "settings", "weights_digest")
        KIND_FIELD_NUMBER: _ClassVar[int]
        VERSION_FIELD_NUMBER: _ClassVar[int]
        SOURCE_FIELD_NUMBER: _ClassVar[int]
        WEIGHTS_VERSION_FIELD_NUMBER: _ClassVar[int]
        SETTINGS_FIELD_NUMBER: _ClassVar[int]
        WEIGHTS_DIGEST_FIELD_NUMBER: _ClassVar[int]
        kind: str
        version: str
        source: str
        weights_version: str
        settings: _containers.RepeatedCompositeFieldContainer[Provenance.Setting]
        weights_digest: str
        def __init__(self, kind: _Optional[str] = ..., version: _Optional[str] = ..., source: _Optional[str] = ..., weights_version: _Optional[str] = ..., settings: _Optional[_Iterable[_Union[Provenance.Setting, _Mapping]]] = ..., weights_digest: _Optional[str] = ...) -> None: ...
    class Setting(_message.Message):
        __slots__ = ("name", "value")
        NAME_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        name: str
        value: str
        def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class Cells(_message.Message):
        __slots__ = ("backend", "judge_version", "image", "image_digest", "python_version", "runtime", "isolation")
        BACKEND_FIELD_NUMBER: _ClassVar[int]
        JUDGE_VERSION_FIELD_NUMBER: _ClassVar[int]
        IMAGE_FIELD_NUMBER: _ClassVar[int]
        IMAGE_DIGEST_FIELD_NUMBER: _ClassVar[int]
        PYTHON_VERSION_FIELD_NUMBER: _ClassVar[int]
        RUNTIME_FIELD_NUMBER: _ClassVar[int]
        ISOLATION_FIELD_NUMBER: _ClassVar[int]
        backend: str
        judge_version: str
        image: str
        image_digest: str
        python_version: str
        runtime: str
        isolation: str
        def __init__(self, backend: _Optional[str] = ..., judge_version: _Optional[str] = ..., image: _Optional[str] = ..., image_digest: _Optional[str] = ..., python_version: _Optional[str] = ..., runtime: _Optional[str] = ..., isolation: _Optional[str] = ...) -> None: ...
    class Change(_message.Message):
        __slots__ = ("field", "earlier")
        FIELD_FIELD_NUMBER: _ClassVar[int]
        EARLIER_FIELD_NUMBER: _ClassVar[int]
        field: str
        earlier: str
        def __init__(self, field: _Optional[str] = ..., earlier: _Optional[str] = ...) -> None: ...
    CODESIEVE_VERSION_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    codesieve_version: str
    problems_digest: str
    engine: Provenance.Engine
    cells: Provenance.Cells
    changes: _containers.RepeatedCompositeFieldContainer[Provenance.Change]
    def __init__(self, codesieve_version: _Optional[str] = ..., problems_digest: _Optional[str] = ..., engine: _Optional[_Union[Provenance.Engine, _Mapping]] = ..., cells: _Optional[_Union[Provenance.Cells, _Mapping]] = ..., changes: _Optional[_Iterable[_Union[Provenance.Change, _Mapping]]] = ...) -> None: ...
