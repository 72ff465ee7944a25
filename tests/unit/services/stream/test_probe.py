"""What a process says of a file is in bounds, or it is not taken."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import FormatError
from wildbach.services.stream import probe
from wildbach.services.stream.probe import Plan, Probe, Track

GOOD = Probe(container="mov,mp4", duration=9.0, plan=Plan((0, 5), (0.0, 4.0)),
             tracks=(Track(index=0, kind="video", codec="h264", codecs="avc1.64001f"),))


def told(**changes: object) -> bytes:
    return msgspec.json.encode({**msgspec.to_builtins(GOOD), **changes})


def test_what_was_said_well_is_taken() -> None:
    assert probe.decode(msgspec.json.encode(GOOD)) == GOOD
    assert GOOD.mime == 'video/mp4; codecs="avc1.64001f"'


@pytest.mark.parametrize("changes", [
    {"duration": -1}, {"duration": 1e300}, {"container": 'a"b'}, {"container": "x" * 99},
    {"tracks": [{"index": -1, "kind": "video", "codec": ""}]}, {"tracks": [{"index": 1, "kind": "data", "codec": ""}]},
    {"tracks": [{"index": 1, "kind": "video", "codec": "<b>"}]},
    {"tracks": [{"index": 1, "kind": "audio", "codec": ""}] * 65},
    {"chapters": [[0.0, "x" * 201]]}, {"plan": {"starts": [0], "times": [0.0, 1.0]}},
    {"plan": {"starts": [0, 0], "times": [0.0, 1.0]}}, {"plan": {"starts": [0, 1], "times": [0.0, 0.0]}},
    {"plan": {"starts": [0], "times": [1.0]}},
])
def test_what_is_out_of_bounds_is_refused_as_a_whole(changes: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        probe.decode(told(**changes))


@given(st.binary(max_size=200))
def test_no_bytes_do_worse_than_be_refused(raw: bytes) -> None:
    with contextlib.suppress(FormatError):
        probe.decode(raw)


@pytest.mark.parametrize(("container", "mime"), [
    ("matroska,webm", "video/webm"), ("mpegts", ""), ("avi", ""), ("mov,mp4,m4a", "video/mp4")])
def test_a_browser_is_asked_about_containers_that_browsers_know(container: str, mime: str) -> None:
    found = Probe(container=container, tracks=(Track(index=0, kind="video", codec="x"),)).mime
    assert found == mime
