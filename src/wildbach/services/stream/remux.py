"""Media as browsers can play it, made while it is asked for: `Remuxer` is what others use.

Invariant: hostile media meets FFmpeg in a process only (`mediaworker`), and what comes of it is checked values, or
bytes that go to a browser as the type they were asked as. What was made lately is kept, by the tag of the file, so that
the same is not made twice; requests for the same thing wait for each other.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Final

import msgspec

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.runtime.tasks import Scope
from wildbach.services.stream import probe as probes
from wildbach.services.stream import subtitles
from wildbach.services.stream.hls import Choice
from wildbach.services.stream.mediapool import MediaPool
from wildbach.services.stream.mediaprocess import MediaError, ReadsFile
from wildbach.services.stream.mediatalk import CueRow, CuesOrder, InitOrder, Order, ProbeOrder, SegmentOrder, StillOrder
from wildbach.services.stream.probe import Probe

NOT_INSTALLED: Final = "PyAV is not installed; `pip install 'wildbach[media]'` installs it"
_NO_PROCESS: Final = "this system cannot bound a process that reads media"
_ROWS: Final = msgspec.json.Decoder(list[CueRow])
_STILL_STEP: Final = 2.0
"Pictures of the seek bar are made for every so many seconds."
_ENTRY_BYTES: Final = 1024
"What keeping a thing costs besides: whoever asks for subtitles of ever other times gets very little each time."

Key = tuple[object, ...]


class Remuxer:
    """`processes` and `seconds` bound what reading media may cost at once, and for one request."""

    def __init__(
        self, scope: Scope, *, processes: int = limits.MEDIA_WORKERS, seconds: float = limits.MEDIA_WORK_SECONDS,
        found: Callable[[str], object] = find_spec,
    ) -> None:
        self.reason = NOT_INSTALLED if found("av") is None else "" if found("resource") else _NO_PROCESS
        "Why there is nothing of all this; empty where there is."
        self._pool = MediaPool(scope, processes=processes, seconds=seconds)
        self._probes: OrderedDict[str, Probe] = OrderedDict()
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._doors: dict[Key, tuple[asyncio.Lock, int]] = {}

    @property
    def available(self) -> bool:
        return not self.reason

    @property
    def pool(self) -> MediaPool:
        return self._pool

    async def close(self) -> None:
        await self._pool.close()

    async def probe(self, file: ReadsFile) -> Probe:
        """What is in the file. All methods raise MediaError, UsageError (`media_unavailable` without PyAV, `no_track`),
        and what reading the file raises; they wait for bytes of it as long as it takes.
        """
        key = (file.tag, "probe")
        known = self._probes.get(file.tag)
        if known is None:
            async with self._alone(key):
                known = self._probes.get(file.tag)
                if known is None:
                    known = probes.decode(await self._run(file, ProbeOrder()))
                    self._probes[file.tag] = known
                    if len(self._probes) > limits.MEDIA_PROBES:
                        self._probes.popitem(last=False)
        self._probes.move_to_end(file.tag)
        return known

    async def init(self, file: ReadsFile, choice: Choice) -> bytes:
        """What every segment of this choice needs before it."""
        order = InitOrder(choice.video, choice.audio, choice.height)
        return await self._once((file.tag, choice, "init"), lambda: self._run(file, order))

    async def segment(self, file: ReadsFile, choice: Choice, number: int) -> bytes:
        """Raises UsageError (`no_segment`) too."""
        plan = (await self.probe(file)).plan
        count = len(plan.starts)
        if not 0 <= number < count:
            raise UsageError(f"there is no segment {number}", code="no_segment")
        order = SegmentOrder(
            number, plan.starts[number] if number else None, plan.starts[number + 1] if number + 1 < count else None,
            plan.starts[number - 1] if number else None, choice.video, choice.audio, choice.height)
        return await self._once((file.tag, choice, number), lambda: self._run(file, order))

    async def still(self, file: ReadsFile, seconds: float) -> bytes:
        """A small JPEG of the film near that time."""
        probe = await self.probe(file)
        if not 0 <= seconds <= limits.PLAYED_SECONDS:
            raise UsageError("there is no such time", code="bad_time")
        step = int(min(seconds, max(0.0, probe.duration - 0.1)) / _STILL_STEP)
        order = StillOrder(step * _STILL_STEP, limits.STILL_WIDTH)
        picture = await self._once((file.tag, "still", step), lambda: self._run(file, order, adorns=True))
        if len(picture) > limits.STILL_BYTES or not picture.startswith(b"\xff\xd8"):
            raise MediaError("the picture is none", "media_crashed")
        return picture

    async def track_subtitles(
        self, file: ReadsFile, track: int, *, start: float = 0.0, end: float | None = None, offset: float = 0.0,
    ) -> str:
        """A track of text as WebVTT, of a part of the film where `end` is given: the whole needs all of the file."""
        found = (await self.probe(file)).track(track)
        if found is None or found.kind != "subtitle":
            raise UsageError(f"there is no subtitle track {track}", code="no_track")
        if not found.text:
            raise UsageError("these subtitles are pictures, which cannot be shown", code="not_text")
        order = CuesOrder(track, start, end)
        raw = await self._once(
            (file.tag, "cues", track, start, end), lambda: self._run(file, order, adorns=end is not None))
        try:
            rows = _ROWS.decode(raw)
        except (msgspec.MsgspecError, ValueError):
            raise MediaError("the subtitles are none", "media_crashed") from None
        return await asyncio.to_thread(_cues, found.codec, rows, offset)

    async def _run(self, file: ReadsFile, order: Order, *, adorns: bool = False) -> bytes:
        if self.reason:
            raise UsageError(self.reason, code="media_unavailable")
        async with self._pool.lend(file, adorns=adorns) as process:
            return await process.run(order, file)

    async def _once(self, key: Key, make: Callable[[], Awaitable[bytes]]) -> bytes:
        async with self._alone(key):
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept
            made = await make()
            self._keep(key, made)
            return made

    def _keep(self, key: Key, made: bytes) -> None:
        if len(made) > limits.MEDIA_CACHE_BYTES // 4:
            return
        self._kept[key] = made
        self._kept_bytes += len(made) + _ENTRY_BYTES
        while self._kept_bytes > limits.MEDIA_CACHE_BYTES:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1]) + _ENTRY_BYTES

    @asynccontextmanager
    async def _alone(self, key: Key) -> AsyncIterator[None]:
        """One at a time for the same thing: who comes second finds what the first one made."""
        door, count = self._doors.get(key, (asyncio.Lock(), 0))
        self._doors[key] = door, count + 1
        try:
            async with door:
                yield
        finally:
            door, count = self._doors[key]
            if count > 1:
                self._doors[key] = door, count - 1
            else:
                del self._doors[key]


async def file_subtitles(file: ReadsFile, *, offset: float = 0.0) -> str:
    """A file of subtitles as WebVTT; it needs no PyAV. Raises FormatError, and what reading the file raises."""
    if file.size > limits.SUBTITLE_BYTES:
        raise MediaError(f"subtitles have more than {limits.SUBTITLE_BYTES} bytes (SUBTITLE_BYTES)", "media_limit")
    raw = bytearray()
    while len(raw) < file.size:
        part = await file.read(len(raw), file.size - len(raw))
        if not part:
            break
        raw += part
    cues = await asyncio.to_thread(subtitles.parse, bytes(raw))
    return subtitles.webvtt(cues, offset=offset)


def _cues(codec: str, rows: list[CueRow], offset: float) -> str:
    """Takes a while where a track is large."""
    return subtitles.webvtt(
        subtitles.of_track(codec, ((row.start, row.end, row.text) for row in rows)), offset=offset)
