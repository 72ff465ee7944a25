"""Real films and songs, made with PyAV: the same arguments give the same bytes, once per run of the tests.

Pictures are small and cost little to code: a grey that grows with the time, a bar that moves with each frame, some
noise. The mean brightness of the picture at `t` seconds is about `brightness(t)`, so a test can tell where it is.

Files lie in one temporary folder of the test process and are shared: copy them (`shutil.copy`) before you change them.
"""

from __future__ import annotations

import math
import random
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Final

import av
from tests import encounters

FPS: Final = 10
RATE: Final = 48_000
ASS_HEAD: Final = (
    "[Script Info]\r\nScriptType: v4.00+\r\nPlayResX: 384\r\nPlayResY: 288\r\n\r\n[V4+ Styles]\r\n"
    "Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, "
    "Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, "
    "MarginV, Encoding\r\nStyle: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1\r\n"
    "\r\n[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
)

_home = tempfile.TemporaryDirectory(prefix="wildbach-media-")


@dataclass(frozen=True)
class Sound:
    """An audio track of a film."""

    codec: str = "aac"
    language: str = ""
    title: str = ""
    channels: int = 2
    bit_rate: int = 32_000


@dataclass(frozen=True)
class Words:
    """A track of embedded subtitles: one line a second, `line(n)` from second n to n + 0.9."""

    codec: str = "subrip"
    "`subrip`, `ass`, `webvtt`, or `mov_text` in mp4."
    language: str = ""
    title: str = ""


@dataclass(frozen=True)
class Shape:
    """How a film is made."""

    seconds: float = 20.0
    gop: float = 2.0
    "Seconds from one keyframe to the next; there are no others."
    container: str = "mp4"
    "`mp4`, `matroska`, `webm`, `mov`."
    layout: str = "first"
    "Of mp4: `first` (moov before the data), `last`, `fragments` (moof + mdat a GOP), `sidx` (these, with an index)."
    codec: str = "libx264"
    bit_rate: int | None = None
    "Bits a second of the picture, filled up with padding where the picture needs less; None: what it needs."
    fps: int = FPS
    size: tuple[int, int] = (160, 96)
    sounds: tuple[Sound, ...] = (Sound(),)
    words: tuple[Words, ...] = ()
    cues_first: bool = False
    "Of Matroska: the index stands before the data."
    bframes: int = 0
    seed: int = 1
    options: tuple[tuple[str, str], ...] = ()
    "More options of the container's writer."


def brightness(seconds: float) -> float:
    """The mean luma that a picture at that time has, within 12."""
    return 48 + seconds * 3 % 160


def line(second: int) -> str:
    """What the subtitles say from that second on."""
    return f"Line {second}: Wildbäche rauschen & fließen, 3 > 2"


@cache
def film(shape: Shape = Shape(), name: str = "") -> Path:
    """A film in a file; `name` to have it called so."""
    suffix = {"matroska": "mkv"}.get(shape.container, shape.container)
    folder = Path(tempfile.mkdtemp(dir=_home.name))
    path = folder / (name or f"film-{shape.layout}.{suffix}")
    _write_film(path, shape)
    return path


def mp4(layout: str = "first", *, seconds: float = 20.0, gop: float = 2.0, **more: Any) -> Path:
    """An mp4 file with H.264 and AAC; `layout` as in `Shape`."""
    return film(Shape(seconds=seconds, gop=gop, layout=layout, **more))


def mkv(*, seconds: float = 20.0, gop: float = 2.0, **more: Any) -> Path:
    """Matroska with H.264, AC-3 in English, AAC in German, and subtitles as SubRip (English) and ASS (German)."""
    return film(Shape(**{
        "seconds": seconds, "gop": gop, "container": "matroska",
        "sounds": (Sound("ac3", "eng", "Original", bit_rate=96_000), Sound("aac", "ger", "Synchronfassung")),
        "words": (Words("subrip", "eng", "English"), Words("ass", "ger", "Deutsch")),
        **more,
    }))


def webm(*, seconds: float = 10.0, gop: float = 2.0, **more: Any) -> Path:
    """WebM with VP8 and Opus."""
    return film(Shape(seconds=seconds, gop=gop, container="webm", codec="libvpx", sounds=(Sound("libopus"),), **more))


_SONGS: Final = {
    "mp3": ("mp3", "libmp3lame"), "flac": ("flac", "flac"), "ogg": ("ogg", "libopus"), "opus": ("ogg", "libopus"),
    "m4a": ("ipod", "aac"), "wav": ("wav", "pcm_s16le"), "mka": ("matroska", "flac"),
}


@cache
def song(kind: str = "mp3", *, seconds: float = 20.0, title: str = "Wildbach", bit_rate: int = 64_000) -> Path:
    """A song: `mp3`, `flac`, `ogg`, `opus`, `m4a`, `wav` or `mka`."""
    container, codec = _SONGS[kind]
    path = Path(tempfile.mkdtemp(dir=_home.name)) / f"song.{kind}"
    with av.open(str(path), "w", format=container, options={"fflags": "+bitexact"}) as out:
        out.metadata["title"] = title
        track = _sound_stream(out, Sound(codec, bit_rate=bit_rate))
        for packets in _tone(track, seconds, 440):
            out.mux(packets)
    return path


@cache
def season(*, episodes: int = 3, seconds: float = 8.0, container: str = "matroska") -> Path:
    """The folder of a season pack: `S01E01` … with a `.srt` beside each, a sample and a text file."""
    folder = Path(tempfile.mkdtemp(dir=_home.name)) / "The.Stream.S01.1080p"
    (folder / "Sample").mkdir(parents=True)
    for number in range(1, episodes + 1):
        name = f"The.Stream.S01E{number:02d}.1080p"
        path = folder / f"{name}.{'mkv' if container == 'matroska' else container}"
        _write_film(path, Shape(seconds=seconds, container=container, seed=number))
        (folder / f"{name}.srt").write_text(srt(seconds), "utf-8")
    _write_film(folder / "Sample" / "sample.mp4", Shape(seconds=2.0))
    (folder / "The.Stream.nfo").write_text("Made by a test.\n", "utf-8")
    return folder


def srt(seconds: float, say: Callable[[int], str] = line) -> str:
    """Subtitles as a SubRip file has them."""
    return "".join(
        f"{n + 1}\n{_clock(n, ',')} --> {_clock(n + 0.9, ',')}\n{say(n)}\n\n" for n in range(int(seconds))
    )


def vtt(seconds: float) -> str:
    """The same as WebVTT."""
    lines = (f"{_clock(n, '.')} --> {_clock(n + 0.9, '.')}\n{_escaped(n)}\n" for n in range(int(seconds)))
    return "WEBVTT\n\n" + "\n".join(lines)


def ass(seconds: float) -> str:
    """The same as a file of Advanced SubStation Alpha, with some of its styling."""
    lines = (
        f"Dialogue: 0,{_clock(n, '.')[1:-1]},{_clock(n + 0.9, '.')[1:-1]},Default,,0,0,0,,{{\\i1}}{line(n)}{{\\i0}}\r\n"
        for n in range(int(seconds))
    )
    return ASS_HEAD + "".join(lines)


def _escaped(n: int) -> str:
    return line(n).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, mark: str) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}{mark}{whole % 1000:03d}"


@dataclass
class Seen:
    """What PyAV reads in a file, packet by packet."""

    container: str
    duration: float
    codecs: list[tuple[str, str, str]] = field(default_factory=list)
    "Kind, codec and language of each track."
    keyframes: list[tuple[float, int]] = field(default_factory=list)
    "Of the picture (without one: of the first track): seconds from the beginning, offset in the file."


def seen(path: Path) -> Seen:
    """What PyAV says about a file: what our own parsers are compared with."""
    encounters.note("pyav")
    with av.open(str(path)) as source:
        found = Seen(source.format.name, (source.duration or 0) / 1_000_000)
        for stream in source.streams:
            found.codecs.append((stream.type, stream.codec_context.name, stream.metadata.get("language", "")))
        main = source.streams.video[0] if source.streams.video else source.streams[0]
        for packet in source.demux(main):
            if packet.is_keyframe and packet.pts is not None and packet.pos is not None:
                found.keyframes.append((float(packet.pts * packet.time_base), packet.pos))
        found.keyframes.sort()
    return found


def _write_film(path: Path, shape: Shape) -> None:
    options = dict(shape.options)
    flags = {"first": "+faststart", "fragments": "+frag_keyframe+empty_moov+default_base_moof",
             "sidx": "+frag_keyframe+empty_moov+default_base_moof+global_sidx", "last": ""}[shape.layout]
    if shape.container in ("mp4", "mov") and flags:
        options.setdefault("movflags", flags)
    if shape.container in ("matroska", "webm") and shape.cues_first:
        options.setdefault("reserve_index_space", "16384")
    with av.open(str(path), "w", format=shape.container, options={"fflags": "+bitexact", **options}) as out:
        out.metadata["title"] = path.stem
        picture = _picture_stream(out, shape)
        sounds = [_sound_stream(out, sound) for sound in shape.sounds]
        words = [_words_stream(out, kind) for kind in shape.words]
        tones = [_tone(track, shape.seconds, 220 * (n + 1)) for n, track in enumerate(sounds)]
        frames = _pictures(picture, shape)
        texts = [_texts(track, kind, shape.seconds) for track, kind in zip(words, shape.words, strict=True)]
        _interleave(out, [frames, *tones, *texts])


def _interleave(out: Any, tracks: list[Iterator[list[Any]]]) -> None:
    """Always goes on with the track that is least far; the container's writer sorts what overlaps."""
    clocks: list[tuple[float, int]] = [(0.0, n) for n in range(len(tracks))]
    while clocks:
        clocks.sort()
        at, n = clocks.pop(0)
        packets = next(tracks[n], None)
        if packets is None:
            continue
        for packet in packets:
            if packet.pts is not None:
                at = max(at, float(packet.pts * packet.time_base))
            out.mux(packet)
        clocks.append((at + 0.001, n))


def _picture_stream(out: Any, shape: Shape) -> Any:
    options: dict[str, str] = {"threads": "1"}
    gop = max(1, round(shape.gop * shape.fps))
    if shape.codec == "libx264":
        options |= {"preset": "ultrafast", "bf": str(shape.bframes)}
        params = f"scenecut=0:keyint={gop}:min-keyint={gop}:open-gop=0"
        if shape.bit_rate is not None:
            kilobits = shape.bit_rate // 1000
            params += f":nal-hrd=cbr:filler=1:vbv-maxrate={kilobits}:vbv-bufsize={kilobits}:bitrate={kilobits}"
        options["x264-params"] = params
    elif shape.codec.startswith("libvpx"):
        options |= {"deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "0", "lag-in-frames": "0"}
    track = out.add_stream(shape.codec, rate=shape.fps, options=options)
    track.width, track.height = shape.size
    track.pix_fmt = "yuv420p"
    track.gop_size = gop
    track.codec_context.flags |= av.codec.context.Flags.bitexact
    track.codec_context.time_base = Fraction(1, shape.fps)
    if shape.bit_rate is not None:
        track.bit_rate = shape.bit_rate
    return track


def _pictures(track: Any, shape: Shape) -> Iterator[list[Any]]:
    width, height = shape.size
    rng = random.Random(shape.seed)
    noise = [rng.randbytes(width * height).translate(_SOFT) for _ in range(4)]
    chroma = bytes([128]) * (width * height // 4)
    for number in range(round(shape.seconds * shape.fps)):
        grey = round(brightness(number / shape.fps))
        luma = bytearray(noise[number % 4].translate(_shifted(grey)))
        bar = number * 4 % width
        for row in range(0, height, 2):
            luma[row * width + bar] = 235
        frame = av.VideoFrame(width, height, "yuv420p")
        _fill(frame.planes[0], bytes(luma), width, height)
        for plane in frame.planes[1:]:
            _fill(plane, chroma, width // 2, height // 2)
        frame.pts = number
        frame.time_base = Fraction(1, shape.fps)
        if shape.codec.startswith("libvpx") and number % max(1, round(shape.gop * shape.fps)) == 0:
            frame.pict_type = av.video.frame.PictureType.I
        yield track.encode(frame)
    yield track.encode(None)


_SOFT: Final = bytes(n % 9 for n in range(256))


@cache
def _shifted(grey: int) -> bytes:
    return bytes(min(255, grey + n - 4) if n + grey >= 4 else 0 for n in range(256))


def _fill(plane: Any, data: bytes, width: int, height: int) -> None:
    size = plane.line_size
    plane.update(b"".join(data[row * width : (row + 1) * width].ljust(size, b"\0") for row in range(height)))


def _sound_stream(out: Any, sound: Sound) -> Any:
    track = out.add_stream(sound.codec, rate=RATE)
    track.codec_context.flags |= av.codec.context.Flags.bitexact
    track.layout = "mono" if sound.channels == 1 else "stereo" if sound.channels == 2 else "5.1"
    track.bit_rate = sound.bit_rate
    _named(track, sound)
    return track


def _tone(track: Any, seconds: float, pitch: int) -> Iterator[list[Any]]:
    context = track.codec_context
    if not context.is_open:
        context.open()
    chunk = context.frame_size or 1152
    names = context.format.name
    planar, kind = names.endswith("p"), names.rstrip("p")
    count = len(context.layout.channels)
    wave, width = _wave(pitch, kind, 1 if planar else count)
    total = round(seconds * RATE)
    for start in range(0, total, chunk):
        length = min(chunk, total - start)
        frame = av.AudioFrame(names, context.layout.name, length)
        at = start % RATE
        one = wave[at * width:(at + length) * width]
        for plane in frame.planes:
            plane.update(one.ljust(plane.buffer_size, b"\0"))
        frame.sample_rate = RATE
        frame.pts = start
        frame.time_base = Fraction(1, RATE)
        yield track.encode(frame)
    yield track.encode(None)


@cache
def _wave(pitch: int, kind: str, channels: int) -> tuple[bytes, int]:
    """Samples of two seconds, of which the second is like the first, for so many channels in turn; bytes of each."""
    scale, code = {"flt": (0.3, "f"), "s16": (9000, "h"), "s32": (9000 << 16, "i")}[kind]
    values = [scale * math.sin(2 * math.pi * pitch * n / RATE) for n in range(RATE)]
    packer = struct.Struct(f"<{code}")
    one = b"".join(packer.pack(value if code == "f" else int(value)) * channels for value in values)
    return one * 2, packer.size * channels


def _words_stream(out: Any, words: Words) -> Any:
    if words.codec == "ass":
        track = out.add_stream("ass")
        track.codec_context.subtitle_header = ASS_HEAD.encode()
    else:
        track = out.add_mux_stream(words.codec)
    track.time_base = Fraction(1, 1000)
    _named(track, words)
    return track


def _texts(track: Any, words: Words, seconds: float) -> Iterator[list[Any]]:
    for n in range(int(seconds)):
        text = _escaped(n) if words.codec == "webvtt" else line(n)
        data = text.encode()
        if words.codec == "ass":
            data = f"{n},0,Default,,0,0,0,,{{\\i1}}".encode() + data + b"{\\i0}"
        elif words.codec == "mov_text":
            data = struct.pack(">H", len(data)) + data
        packet = av.Packet(data)
        packet.stream = track
        packet.time_base = Fraction(1, 1000)
        packet.pts = packet.dts = n * 1000
        packet.duration = 900
        packet.is_keyframe = True
        yield [packet]


def _named(track: Any, what: Sound | Words) -> None:
    names: Mapping[str, str] = {"language": what.language, "title": what.title}
    for key, value in names.items():
        if value:
            track.metadata[key] = value


def copy(path: Path, folder: Path, name: str = "") -> Path:
    """A copy of a file or of a folder that the test may change."""
    target = folder / (name or path.name)
    if path.is_dir():
        shutil.copytree(path, target)
    else:
        shutil.copy(path, target)
    return target
