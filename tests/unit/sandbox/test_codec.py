"""The agent's codec: what goes in comes out, and what is malformed is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest

from codesieve.workers.sandbox import agent


def test_a_message_survives_the_crossing_in_any_cut() -> None:
    messages = [
        (agent.RUN, 2**62, -1, 0.1, float("inf"), b"\x00\xff" * 100, "ü\u4e2d", b"", ""),
        (agent.CANCEL, 7),
        (),
    ]
    stream = b"".join(agent.encode(*message) for message in messages)
    for step in (1, 2, 3, 7, len(stream)):
        frames = agent.Frames()
        seen = [message for at in range(0, len(stream), step) for message in frames.feed(stream[at : at + step])]
        assert seen == messages


def test_a_lone_surrogate_in_a_text_does_not_stop_the_message() -> None:
    assert agent.Frames().feed(agent.encode("\ud800")) == [("\\ud800",)]


@pytest.mark.parametrize(
    "body", [b"i\x00", b"x", b"b\x00\x00", b"b\x00\x00\x00\x05abc", b"s\x00\x00\x00\x01\xff", b"f1234567"]
)
def test_a_malformed_body_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"unknown tag|ends early|longer than|decode"):
        agent.decode(body)


def test_a_frame_that_claims_to_be_huge_is_refused_before_it_is_read() -> None:
    with pytest.raises(ValueError, match="too long"):
        agent.Frames().feed((agent.MAX_FRAME + 1).to_bytes(4, "big"))


def test_importing_the_agent_does_nothing() -> None:
    script = (
        "import os, signal, sys\n"
        "before = (dict(os.environ), sys.argv[:], signal.getsignal(signal.SIGCHLD), os.listdir('/proc/self/fd'))\n"
        "import codesieve.workers.sandbox.agent\n"
        "after = (dict(os.environ), sys.argv[:], signal.getsignal(signal.SIGCHLD), os.listdir('/proc/self/fd'))\n"
        "assert before == after\n"
        "assert 'json' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_agent_is_python_3_8() -> None:
    import ast

    with open(agent.__file__) as file:
        ast.parse(file.read(), feature_version=(3, 8))
