"""Cuts a media file into fragments of MP4, each on its own. Runs in the process of `mediaworker` alone.

Two segments that follow each other join without a seam, whoever asked for them in which order: pictures belong to the
segment in which they are decoded, from one key frame to before the next; sound belongs to it by its time. Sound that is
encoded anew stands on one grid of 1,024 samples for the whole film, and a segment's encoder hears what follows its end,
so that the last packet of one fits the first of the next. Times of packets are those of the file, so that all of them
count from the same 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import av
import av.audio.fifo
import av.audio.resampler
import av.container
import av.error
import av.packet
import av.stream

from wildbach.base import limits
from wildbach.services.stream import probing
from wildbach.services.stream.codecs import COPIED_AUDIO
from wildbach.services.stream.mediatalk import CueRow, CuesOrder, InitOrder, SegmentOrder

_FLAGS: Final = "frag_custom+empty_moov+default_base_moof+frag_discont+negative_cts_offsets+skip_trailer"
_RATES: Final = (32000, 44100, 48000)
"Sound of these stays as it is; all else becomes the last one."
_SAMPLES: Final = 1024
"In a packet of AAC."
_AFTER: Final = 4 * _SAMPLES
"Sound behind a segment's end that its encoder hears."
_SNAP_SECONDS: Final = 0.0012
"Times in Matroska are whole milliseconds; the place of a sample is found again by counting in packets."
_GAP_SECONDS: Final = 0.05
"Sound that is missing for longer is silence, and where it is shorter, the times are inexact."
_SOUND_LATER: Final = Fraction(1, 10)
"Seconds. Sound is cut so much later than pictures: what is heard while they begin may lie before them in the file."
_BEFORE: Final = 1_000_000
"Microseconds. Where there is no index, a search for a time may end a little behind it."
_BEHIND: Final = 2000
"Packets that are read behind the end of a segment for sound that lies late in the file."
_SOUND_BITS: Final = 160_000
_TICKS: Final = 90_000


class TooLong(Exception):
    """A segment has more bytes, or a track more subtitles, than one may have."""


class NoTrack(Exception):
    """There is no such track, or it is of another kind."""


class _Sink:
    """Where the muxer writes; bounded."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> int:
        self._size += len(data)
        if self._size > limits.MEDIA_SEGMENT_BYTES:
            raise TooLong("a segment is too long")
        self._parts.append(bytes(data))
        return len(data)

    def boxes(self, *names: bytes) -> bytes:
        """Those of these names, in order."""
        data = b"".join(self._parts)
        found, at = [], 0
        while at + 8 <= len(data):
            size = int.from_bytes(data[at:at + 4])
            if size < 8:
                break
            if data[at + 4:at + 8] in names:
                found.append(data[at:at + size])
            at += size
        return b"".join(found)


def init(container: av.container.InputContainer, order: InitOrder) -> bytes:
    sink = _Sink()
    with _output(sink, 1) as output:
        _lanes(container, output, order)
        output.start_encoding()
    return sink.boxes(b"ftyp", b"moov")


def segment(container: av.container.InputContainer, order: SegmentOrder) -> bytes:
    """Raises NoTrack, TooLong, and what FFmpeg and the file raise."""
    # Where no index tells the key frames, one may have to be looked for from further ahead to make pictures from it.
    ahead = bool(order.height) and not probing.indexed(container)
    made = _segment(container, order, order.earlier if ahead else order.start)
    if made is None:
        made = _segment(container, order, order.earlier)
    return made or b""


def _segment(container: av.container.InputContainer, order: SegmentOrder, read_from: int | None) -> bytes | None:
    """None where the sound begins too late, and may lie before `read_from`."""
    sink = _Sink()
    with _output(sink, order.number + 1) as output:
        lanes = _lanes(container, output, order)
        output.start_encoding()
        lead = probing.leading(container)
        _seek(container, lead, read_from)
        window = _Window.of(container, lead, order)
        if not _fill(container, lanes, window, retry=read_from == order.start and order.earlier is not None):
            return None  # the muxer's closing writes nothing that is kept
        for lane in lanes:
            for packet in lane.packets():
                output.mux(packet)
    return sink.boxes(b"moof", b"mdat")


def _output(sink: _Sink, number: int) -> av.container.OutputContainer:
    return av.open(
        sink, "w", format="mp4",
        container_options={"movflags": _FLAGS, "use_editlist": "0", "fragment_index": str(number)})


def _seek(container: av.container.InputContainer, lead: Any, to: int | None) -> None:
    begin = container.start_time or 0
    if to is None:
        try:
            container.seek(begin - _BEFORE, backward=True)
        except av.error.FFmpegError:
            container.seek(begin, backward=True)  # some do not go back that far
        return
    margin = 0 if probing.indexed(container) else int(Fraction(_BEFORE, 1_000_000) / lead.time_base)
    container.seek(max(to - margin, int(Fraction(begin, 1_000_000) / lead.time_base)) if margin else to,
                   stream=lead, backward=True)


class _Window:
    """From where to where, by both clocks."""

    def __init__(self, start: int | None, end: int | None, *, base: Fraction, zero: Fraction, decoding: bool) -> None:
        self.start = start
        self.end = end
        self.decoding = decoding
        self.zero = zero
        self.first = None if start is None else start * base - zero
        self.last = None if end is None else end * base - zero
        self.sound_first = None if self.first is None else self.first + _SOUND_LATER
        self.sound_last = None if self.last is None else self.last + _SOUND_LATER

    @classmethod
    def of(cls, container: av.container.InputContainer, lead: Any, order: SegmentOrder) -> _Window:
        return cls(order.start, order.end, base=lead.time_base, zero=probing.origin(container),
                   decoding=probing.by_decoding(container) and lead.type == "video")

    def clock(self, packet: Any) -> int | None:
        value: int | None = packet.dts if self.decoding else packet.pts
        other: int | None = packet.pts if self.decoding else packet.dts
        return other if value is None else value

    def begun(self, clock: int) -> bool:
        return self.start is None or clock >= self.start

    def over(self, clock: int) -> bool:
        return self.end is not None and clock >= self.end


def _fill(container: av.container.InputContainer, lanes: list[_Lane], window: _Window, *, retry: bool) -> bool:
    """Hands the packets of the window to their lanes. False where `retry` and a lane begins late."""
    by_index = {lane.stream.index: lane for lane in lanes}
    behind = 0
    for packet in container.demux([lane.stream for lane in lanes]):
        if not packet.size:
            continue
        lane = by_index[packet.stream.index]
        if lane.over:
            behind += 1
            if behind > _BEHIND:
                break
            continue
        lane.take(packet, window)
        if retry and lane.late:
            return False
        if all(lane.over for lane in lanes):
            break
    for lane in lanes:
        lane.end(window)
    return True


def _lanes(
    container: av.container.InputContainer, output: av.container.OutputContainer, order: InitOrder | SegmentOrder,
) -> list[_Lane]:
    zero = probing.origin(container)
    lanes: list[_Lane] = []
    if order.video >= 0:
        stream = _stream(container, order.video, "video")
        lanes.append(_MadePictures(stream, output, zero, order.height) if order.height
                     else _CopiedPictures(stream, output, zero))
    if order.audio >= 0:
        stream = _stream(container, order.audio, "audio")
        copied = stream.codec_context.codec.canonical_name in COPIED_AUDIO
        lanes.append(_CopiedSound(stream, output, zero) if copied else _MadeSound(stream, output, zero))
    if not lanes:
        raise NoTrack("no track was chosen")
    return lanes


def _stream(container: av.container.InputContainer, index: int, kind: str) -> Any:
    if index >= len(container.streams) or container.streams[index].type != kind:
        raise NoTrack(f"track {index} is not {kind}")
    return container.streams[index]


class _Lane:
    """One track on its way into a segment."""

    late = False
    "Its first packet comes after the start: what is before it may lie elsewhere in the file."

    def __init__(self, stream: Any, zero: Fraction) -> None:
        self.stream = stream
        self.over = False
        self._zero = zero
        self._shift = int(zero / stream.time_base)
        "Of the file's ticks to those of a player."

    def take(self, packet: Any, window: _Window) -> None:
        raise NotImplementedError

    def end(self, window: _Window) -> None:
        """No more packets come."""

    def packets(self) -> Iterator[Any]:
        """What goes into the segment."""
        raise NotImplementedError

    def time(self, packet: Any) -> Fraction | None:
        """In seconds of a player."""
        pts = packet.dts if packet.pts is None else packet.pts
        return None if pts is None else pts * self.stream.time_base - self._zero


class _CopiedPictures(_Lane):
    def __init__(self, stream: Any, output: av.container.OutputContainer, zero: Fraction) -> None:
        super().__init__(stream, zero)
        self._out: Any = output.add_stream_from_template(stream)
        if stream.codec_context.codec.canonical_name == "hevc":
            self._out.codec_context.codec_tag = "hvc1"
        self._held: list[Any] = []
        self._size = 0

    def take(self, packet: Any, window: _Window) -> None:
        clock = window.clock(packet)
        if packet.is_keyframe and clock is not None:
            if window.over(clock):
                self.over = True
                return
            if not self._held and not window.begun(clock):
                return
        elif not self._held:
            return
        if packet.pts is None:
            raise ValueError("a picture has no time")
        self._held.append(packet)
        self._size += packet.size
        if self._size > limits.MEDIA_SEGMENT_BYTES:
            raise TooLong("a segment is too long: the film has too few key frames")

    def packets(self) -> Iterator[Any]:
        # What a file says of decoding times differs by container, and may be missing. In order of showing, moved so far
        # that no picture is shown before it is decoded, they are right for all.
        times: list[int] = []
        for pts in sorted(packet.pts for packet in self._held):
            times.append(pts if not times or pts > times[-1] else times[-1] + 1)
        delay = max((time - packet.pts for time, packet in zip(times, self._held, strict=True)), default=0)
        for time, packet in zip(times, self._held, strict=True):
            packet.dts = time - max(0, delay) - self._shift
            packet.pts -= self._shift
            packet.stream = self._out
            yield packet


class _MadePictures(_Lane):
    """H.264, made anew: fast rather than small."""

    def __init__(self, stream: Any, output: av.container.OutputContainer, zero: Fraction, height: int) -> None:
        super().__init__(stream, zero)
        context = stream.codec_context
        if not context.width or not context.height:
            raise ValueError("the size of the picture is not known")
        self._height = max(2, min(height, context.height) // 2 * 2)
        self._width = max(2, round(context.width * self._height / context.height / 2) * 2)
        if self._width > 8192:
            raise ValueError("the picture is too wide")
        if not context.is_open:
            context.thread_type = "AUTO"
        self._out: Any = output.add_stream("libx264", rate=stream.average_rate or 25)
        self._out.width, self._out.height, self._out.pix_fmt = self._width, self._height, "yuv420p"
        self._out.time_base = Fraction(1, _TICKS)
        self._out.codec_context.time_base = Fraction(1, _TICKS)
        self._out.options = {
            "preset": "ultrafast", "tune": "zerolatency", "crf": "23", "threads": "2", "maxrate": "6M",
            "bufsize": "12M", "x264-params": "keyint=infinite:scenecut=0"}
        self._made: list[Any] = []
        self._last = -1

    def take(self, packet: Any, window: _Window) -> None:
        for picture in packet.decode():
            self._picture(picture, window)

    def end(self, window: _Window) -> None:
        if not self.over:
            for picture in self.stream.codec_context.decode(None):
                self._picture(picture, window)
        self._made += self._out.encode(None)

    def _picture(self, picture: Any, window: _Window) -> None:
        time = self.time(picture)
        if time is None or self.over:
            return
        if window.last is not None and time >= window.last:
            self.over = True
            return
        ticks = int(time * _TICKS)
        if (window.first is not None and time < window.first) or ticks <= self._last or ticks < 0:
            return
        self._last = ticks
        small = picture.reformat(self._width, self._height, "yuv420p")
        small.pts, small.time_base = ticks, Fraction(1, _TICKS)
        small.pict_type = 0
        self._made += self._out.encode(small)

    def packets(self) -> Iterator[Any]:
        return iter(self._made)


class _CopiedSound(_Lane):
    def __init__(self, stream: Any, output: av.container.OutputContainer, zero: Fraction) -> None:
        super().__init__(stream, zero)
        self._out: Any = output.add_stream_from_template(stream)
        self._held: list[Any] = []
        self._seen = False

    def take(self, packet: Any, window: _Window) -> None:
        time = self.time(packet)
        if time is None:
            return
        if window.sound_last is not None and time >= window.sound_last:
            self.over = True
            return
        if not self._seen:
            self._seen = True
            self.late = window.sound_first is not None and time > window.sound_first
        if time >= max(window.sound_first or 0, 0) and (not self._held or packet.pts > self._held[-1].pts):
            self._held.append(packet)

    def packets(self) -> Iterator[Any]:
        for packet in self._held:
            packet.pts -= self._shift
            packet.dts = packet.pts
            packet.stream = self._out
            yield packet


class _MadeSound(_Lane):
    """AAC in stereo."""

    def __init__(self, stream: Any, output: av.container.OutputContainer, zero: Fraction) -> None:
        super().__init__(stream, zero)
        rate = stream.codec_context.sample_rate
        self._rate = rate if rate in _RATES else _RATES[-1]
        self._out: Any = output.add_stream("aac", rate=self._rate, layout="stereo")
        self._out.bit_rate = _SOUND_BITS
        self._out.time_base = Fraction(1, self._rate)
        self._tune = av.audio.resampler.AudioResampler(format="fltp", layout="stereo", rate=self._rate)
        self._fifo = av.audio.fifo.AudioFifo()
        self._next: int | None = None
        "The place of the sample that comes next out of the queue, counted from a player's 0."
        self._made: list[Any] = []
        self._seen = False

    def take(self, packet: Any, window: _Window) -> None:
        if not self._seen:
            self._seen = True
            time = self.time(packet)
            self.late = window.sound_first is not None and time is not None and time > window.sound_first
        for sound in packet.decode():
            self._sound(sound, window)

    def end(self, window: _Window) -> None:
        if not self.over:
            # The last segment, or sound that ends early: the encoder gives what it holds.
            rest = self._fifo.read(0, partial=True) if self._next is not None else None
            if rest is not None:
                self._encode(rest)
        self._made += self._out.encode(None)
        first = self._grid(window.sound_first or 0)
        last = None if window.sound_last is None else self._grid(window.sound_last)
        self._made = [packet for packet in self._made
                      if packet.pts >= first and (last is None or packet.pts < last)]

    def _grid(self, time: Fraction | int) -> int:
        return -(-int(time * self._rate) // _SAMPLES) * _SAMPLES

    def _sound(self, sound: Any, window: _Window) -> None:
        time = self.time(sound)
        if self._next is None:
            if time is None:
                return
            self._begin(sound, time)
        elif time is not None:
            self._mend(time)
        for tuned in self._tune.resample(sound):
            tuned.pts = None
            self._fifo.write(tuned)
        while self._next is not None and self._fifo.samples >= _SAMPLES:
            if self._next % _SAMPLES:
                self._skip()
                continue
            self._encode(self._fifo.read(_SAMPLES))
        last = None if window.sound_last is None else self._grid(window.sound_last)
        self.over = last is not None and self._next is not None and self._next >= last + _AFTER

    def _begin(self, sound: Any, time: Fraction) -> None:
        place = round(time * self._rate)
        length = sound.samples * self._rate // sound.sample_rate
        counted = round(place / length) * length if length else place
        self._next = counted if abs(counted - place) <= _SNAP_SECONDS * self._rate else place

    def _skip(self) -> None:
        """To the grid."""
        if self._next is None:
            return
        odd = -self._next % _SAMPLES
        self._fifo.read(odd)
        self._next += odd

    def _mend(self, time: Fraction) -> None:
        """Silence where sound is missing."""
        if self._next is None:
            return
        missing = round(time * self._rate) - (self._next + self._fifo.samples)
        if missing < _GAP_SECONDS * self._rate or missing > limits.MEDIA_WORK_SECONDS * self._rate:
            return
        while missing > 0:
            silence = av.AudioFrame("fltp", "stereo", min(missing, _SAMPLES))
            silence.sample_rate = self._rate
            for plane in silence.planes:
                plane.update(bytes(plane.buffer_size))
            self._fifo.write(silence)
            missing -= silence.samples

    def _encode(self, sound: Any) -> None:
        sound.pts, sound.time_base, sound.sample_rate = self._next, Fraction(1, self._rate), self._rate
        self._next = (self._next or 0) + sound.samples
        self._made += self._out.encode(sound)

    def packets(self) -> Iterator[Any]:
        return iter(self._made)


def cues(container: av.container.InputContainer, order: CuesOrder) -> list[CueRow]:
    """Raises NoTrack and TooLong."""
    track = _stream(container, order.track, "subtitle")
    lead = probing.leading(container)
    zero = probing.origin(container)
    start = Fraction(order.start) + zero
    container.seek(int(start * 1_000_000), backward=True)
    # In most containers subtitles lie between the pictures, and the pictures tell when to stop; MP4 has an index.
    sparse = "mov" in container.format.name
    streams = [track] if sparse or lead is None or order.end is None else [track, lead]
    base = Fraction(track.time_base)
    left = _indexed(track, start, order.end, zero) if sparse and len(track.index_entries) else None
    rows: list[CueRow] = []
    size = 0
    if left == 0:
        return rows
    for packet in container.demux(streams):
        if not packet.size or packet.pts is None:
            continue
        time = float(packet.pts * (base if packet.stream is track else Fraction(lead.time_base)) - zero)
        if order.end is not None and time >= order.end and (packet.stream is not track or left is None or left <= 0):
            break
        if packet.stream is not track:
            continue
        if time >= 0:
            text = bytes(packet)
            size += len(text)
            rows.append(CueRow(time, time + float((packet.duration or 0) * base), text))
        if size > limits.SUBTITLE_BYTES or len(rows) > limits.SUBTITLE_CUES:
            raise TooLong("the track has too many subtitles")
        if left is not None:
            left -= 1
            if left <= 0:
                break
    return rows


def _indexed(track: Any, start: Fraction, end: float | None, zero: Fraction) -> int:
    """How many packets of a track lie before `end`, from the one that holds at `start`."""
    first = int(start / track.time_base)
    last = None if end is None else int((Fraction(end) + zero) / track.time_base)
    before = inside = 0
    for entry in track.index_entries:
        if last is not None and entry.timestamp >= last:
            break
        if entry.timestamp <= first:
            before = 1
        else:
            inside += 1
    return before + inside
