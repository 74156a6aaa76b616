"""Messages to and from a cell: what goes in comes out, and what is malformed is refused."""

from __future__ import annotations

import pytest

from codesieve.workers.sandbox.inside import frames


def test_a_message_survives_the_crossing_in_any_cut() -> None:
    messages = [
        (frames.RUN, 2**62, -1, 0.1, float("inf"), b"\x00\xff" * 100, "ü\u4e2d", b"", ""),
        (frames.CANCEL, 7),
        (),
    ]
    stream = b"".join(frames.encode(*message) for message in messages)
    for step in (1, 2, 3, 7, len(stream)):
        reader = frames.Frames()
        seen = [message for at in range(0, len(stream), step) for message in reader.feed(stream[at : at + step])]
        assert seen == messages


def test_a_lone_surrogate_in_a_text_does_not_stop_the_message() -> None:
    assert frames.Frames().feed(frames.encode("\ud800")) == [("\\ud800",)]


@pytest.mark.parametrize(
    "body", [b"i\x00", b"x", b"b\x00\x00", b"b\x00\x00\x00\x05abc", b"s\x00\x00\x00\x01\xff", b"f1234567"]
)
def test_a_malformed_body_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"unknown tag|ends early|longer than|decode"):
        frames.decode(body)


def test_a_frame_that_claims_to_be_huge_is_refused_before_it_is_read() -> None:
    with pytest.raises(ValueError, match="too long"):
        frames.Frames().feed((frames.MAX_FRAME + 1).to_bytes(4, "big"))
