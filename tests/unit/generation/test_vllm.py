"""What vLLM needs of the machine, said before it fails for want of it."""

from __future__ import annotations

import pytest

from codesieve.workers.errors import EngineUnavailable
from codesieve.workers.generation.vllm import need_library


def test_a_library_that_is_not_there_is_named_with_its_package() -> None:
    need_library("libc.so.6", "libc6")
    with pytest.raises(EngineUnavailable) as raised:
        need_library("libnowhere.so.1", "libnowhere1")
    said = "vLLM's CPU build needs the library libnowhere.so.1; on Debian or Ubuntu: apt-get install libnowhere1"
    assert str(raised.value) == said
