"""What is said between the daemon and a process that reads media: heads in JSON, each with the bytes that follow it.

The daemon says an `Order`; while the process works on it, it may say `Want` any number of times and gets a `Give` for
each; at last it says `Done` or `Failed`. A frame is the head's length and the body's length (4 bytes each), then both.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec

LENGTHS: Final = struct.Struct(">II")
HEAD_BYTES: Final = 64 * 1024
WANT_BYTES: Final = 1024 * 1024
"That a process may want at once."


class _Said(msgspec.Struct, frozen=True, tag_field="say"):
    pass


class ProbeOrder(_Said, frozen=True, tag="probe"):
    """What is in the file: a `Probe` as JSON."""


class InitOrder(_Said, frozen=True, tag="init"):
    """The init segment for these tracks."""

    video: int
    audio: int
    "An index of a stream; -1 for none."
    height: int = 0
    "Pictures are made anew, at most so high; 0: they are copied."


class SegmentOrder(_Said, frozen=True, tag="segment"):
    """A segment: from `start` to before `end`, in ticks of the stream that leads. None: from the first packet, to the
    last one.
    """

    number: int
    start: int | None
    end: int | None
    earlier: int | None
    "Where to begin to read should the sound lie before `start` in the file; None: there is nothing before."
    video: int
    audio: int
    height: int = 0


class CuesOrder(_Said, frozen=True, tag="cues"):
    """What a subtitle track says between two times in seconds: rows of (start, end, bytes) as JSON."""

    track: int
    start: float
    end: float | None


class StillOrder(_Said, frozen=True, tag="still"):
    """A small JPEG of the picture at the key frame at or before a time in seconds."""

    seconds: float
    width: int


class Give(_Said, frozen=True, tag="give"):
    """The bytes that were wanted are the body; none at the end of the file. `error`: they will not come."""

    error: str = ""


class Want(_Said, frozen=True, tag="want"):
    offset: int
    limit: int


class Done(_Said, frozen=True, tag="done"):
    """The result is the body."""


class Failed(_Said, frozen=True, tag="failed"):
    """It cannot be done. `code` is one of: format (the file), track (there is no such one), limit, stopped."""

    code: str
    reason: str = ""


Order = ProbeOrder | InitOrder | SegmentOrder | CuesOrder | StillOrder
FromDaemon = Order | Give
FromWorker = Want | Done | Failed


class CueRow(msgspec.Struct, frozen=True, array_like=True):
    start: float
    end: float
    text: bytes
    "In the form of its codec, not cleaned."


def frame(head: msgspec.Struct, body: bytes = b"") -> bytes:
    packed = msgspec.json.encode(head)
    return b"".join((LENGTHS.pack(len(packed), len(body)), packed, body))
