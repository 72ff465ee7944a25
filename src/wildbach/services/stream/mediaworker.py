"""The process that reads media: `python -m wildbach.services.stream.mediaworker SIZE`, for one file of SIZE bytes.

It has no file of its own: what it reads it asks the daemon for, over its standard input and output, so it works while
the file is still downloading. FFmpeg's libraries meet hostile bytes here and nowhere else. The process can open no file
for writing, has bounds for memory and processor time, and is killed by the daemon when it takes too long; what it says
is checked there.
"""

from __future__ import annotations

import io
import os
import resource
import signal
import sys
from typing import Any, BinaryIO, Final

import av
import av.container
import av.error
import av.logging
import msgspec

from wildbach.base import limits
from wildbach.services.stream import probing, segmenting, stills
from wildbach.services.stream.mediatalk import (
    LENGTHS,
    WANT_BYTES,
    CuesOrder,
    Done,
    Failed,
    FromDaemon,
    FromWorker,
    Give,
    InitOrder,
    Order,
    ProbeOrder,
    SegmentOrder,
    Want,
    frame,
)

_CHUNK: Final = 256 * 1024
"What is asked for at once."
_FILES: Final = 64
_DECODER: Final = msgspec.json.Decoder(FromDaemon)


class Stopped(OSError):
    """The daemon wants no more of this order, or the bytes will not come."""


class TooMuch(OSError):
    """The order read more than one may."""


class Line:
    """The connection with the daemon."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._in = incoming
        self._out = outgoing

    def say(self, head: FromWorker, body: bytes = b"") -> None:
        self._out.write(frame(head, body))
        self._out.flush()

    def hear(self) -> tuple[FromDaemon, bytes] | None:
        """None when the daemon went away."""
        lengths = self._in.read(LENGTHS.size)
        if len(lengths) < LENGTHS.size:
            return None
        head, body = LENGTHS.unpack(lengths)
        return _DECODER.decode(self._in.read(head)), self._in.read(body)


class RemoteFile:
    """The media file, as FFmpeg wants one: reads and seeks, bounded for each order."""

    def __init__(self, line: Line, size: int) -> None:
        self._line = line
        self._size = size
        self._position = 0
        self._start = 0
        self._held = b""
        self.left = 0

    def read(self, count: int) -> bytes:
        at = self._position - self._start
        if not 0 <= at < len(self._held):
            self._fetch(count)
            at = 0
        data = self._held[at:at + count]
        self._position += len(data)
        return data

    def _fetch(self, count: int) -> None:
        self._start, self._held = self._position, b""
        if self._position >= self._size:
            return
        # FFmpeg asks for a whole packet at once, and a picture of a large film has megabytes.
        wanted = min(max(count, _CHUNK), WANT_BYTES, self._size - self._position)
        if self.left <= 0:
            raise TooMuch("more was read than one request may read")
        self._line.say(Want(self._position, wanted))
        heard = self._line.hear()
        if heard is None:
            raise Stopped("the daemon went away")
        head, body = heard
        if not isinstance(head, Give) or head.error:
            raise Stopped(head.error if isinstance(head, Give) else "stopped")
        self._held = body
        self.left -= len(body)

    def seek(self, offset: int, whence: int = 0) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence & 3]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position


class Desk:
    """Does what is ordered, one after the other. The file stays open; after a failure it is opened anew."""

    def __init__(self, file: RemoteFile) -> None:
        self._file = file
        self._container: av.container.InputContainer | None = None

    def work(self, order: Order) -> bytes:
        self._file.left = limits.MEDIA_READ_BYTES
        container = self._opened()
        if isinstance(order, ProbeOrder):
            return msgspec.json.encode(probing.probe(container))
        if isinstance(order, InitOrder):
            return segmenting.init(container, order)
        if isinstance(order, SegmentOrder):
            return segmenting.segment(container, order)
        if isinstance(order, CuesOrder):
            return msgspec.json.encode(segmenting.cues(container, order))
        return stills.still(container, order)

    def forget(self) -> None:
        if self._container is not None:
            self._container.close()
        self._container = None

    def _opened(self) -> av.container.InputContainer:
        if self._container is None:
            self._file.seek(0)
            self._container = probing.open_media(self._file)
        return self._container


def answer(desk: Desk, order: Order) -> tuple[FromWorker, bytes]:
    try:
        return Done(), desk.work(order)
    except Stopped as error:
        failed = Failed("stopped", _reason(error))
    except (TooMuch, segmenting.TooLong, MemoryError) as error:
        failed = Failed("limit", _reason(error))
    except segmenting.NoTrack as error:
        failed = Failed("track", _reason(error))
    except (av.error.FFmpegError, OSError, ValueError, ArithmeticError, LookupError, TypeError, RuntimeError) as error:
        failed = Failed("format", _reason(error))
    desk.forget()
    return failed, b""


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text[:limits.MEDIA_TEXT_CHARS]


def confine() -> None:
    """From here on this process has bounds, whatever the bytes make it do."""
    resource.setrlimit(resource.RLIMIT_AS, (limits.MEDIA_MEMORY, limits.MEDIA_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))


def allow_time() -> None:
    """The processor time for one more order."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + limits.MEDIA_CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))


def main() -> None:
    # Ctrl-C is for the daemon, which ends its children by closing their input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    outgoing = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    av.logging.set_level(None)
    confine()
    line = Line(sys.stdin.buffer, io.BufferedWriter(outgoing, _CHUNK))
    desk = Desk(RemoteFile(line, int(sys.argv[1])))
    while (heard := line.hear()) is not None:
        order: Any = heard[0]
        if isinstance(order, Give):
            continue  # to a question that was given up
        allow_time()
        said, body = answer(desk, order)
        try:
            line.say(said, body)
        except OSError:
            return


if __name__ == "__main__":
    main()
