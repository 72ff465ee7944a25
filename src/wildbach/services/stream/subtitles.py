"""Subtitles as text: SubRip, WebVTT and SubStation Alpha, from files or from tracks of a film, to WebVTT.

Of styling only bold, italics and underline are kept, and of a text all that could mean more than itself is escaped:
what comes out is WebVTT with nothing else in it. Reading takes time and memory in proportion to what is read, which is
bounded; what is no subtitle is passed over, and a file without any is no file of subtitles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError

SUFFIXES: Final = (".srt", ".vtt", ".ass", ".ssa")
_TIME: Final = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMING: Final = re.compile(rf"\s{{0,20}}{_TIME}\s{{0,20}}-->\s{{0,20}}{_TIME}")
_ASS_TIME: Final = re.compile(r"\s{0,20}(\d{1,3}):(\d{1,2}):(\d{1,2})[.,](\d{1,3})")
_KEPT: Final = re.compile(r"<(/?)([ibuIBU])(?:[ .][^<>]{0,200})?>")
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,300}>|<\d[\d:.]{0,20}>")
_OVERRIDE: Final = re.compile(r"\{\\[^{}]{0,500}\}")
_BRACES: Final = re.compile(r"\{[^{}]{0,2000}\}")
_DRAWING: Final = re.compile(r"\{[^{}]{0,500}?\\p[1-9]")
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff]")
_ASS_FIELDS: Final = 10
_ASS_BLOCK_FIELDS: Final = 9
"Of one in Matroska: without the times, with the order in which they were read."
_MARKS: Final = str.maketrans({"\ue000": "<", "\ue001": ">"})
_SHOWN_SECONDS: Final = 3.0
"A subtitle of which nobody said how long."
_ESCAPES: Final = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))
_ENTITIES: Final = (
    ("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", "\u00a0"), ("&lrm;", "\u200e"), ("&rlm;", "\u200f"), ("&amp;", "&"))


class Cue(NamedTuple):
    start: float
    "Seconds."
    end: float
    text: str
    "In WebVTT, clean."


def decoded(raw: bytes) -> str:
    """The text of a file, in whatever encoding: by its mark, else UTF-8, else that of Western Windows.
    """
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    try:
        return raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError:
        pass
    return raw.decode("cp1252", "replace")


def parse(raw: bytes) -> list[Cue]:
    """The subtitles of a file, in order of time. Raises FormatError: there are none; LimitError."""
    if len(raw) > limits.SUBTITLE_BYTES:
        raise LimitError(f"subtitles have more than {limits.SUBTITLE_BYTES} bytes (SUBTITLE_BYTES)")
    head = raw[:2000]
    if not raw.startswith((b"\xff\xfe", b"\xfe\xff")) and len(head) >= 8:
        # UTF-16 without a mark: Latin letters and digits have an empty byte each.
        for encoding, empty in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
            if empty.count(0) * 2 > len(empty):
                return _checked(_cues(raw.decode(encoding, "replace")))
    return _checked(_cues(decoded(raw)))


def of_track(codec: str, rows: Iterable[tuple[float, float, bytes]]) -> list[Cue]:
    """The subtitles of a track: (start, end, bytes in the form of `codec`). Raises LimitError."""
    return _checked(_of_rows(codec, rows), empty=True)


def webvtt(cues: Iterable[Cue], *, offset: float = 0.0) -> str:
    """A file; with an offset in seconds all of them come later. What would end before 0 is left out."""
    parts = ["WEBVTT\n"]
    for cue in cues:
        start, end = max(0.0, cue.start + offset), cue.end + offset
        if end > 0:
            parts.append(f"{_clock(start)} --> {_clock(end)}\n{cue.text}\n")
    return "\n".join(parts)


def _checked(cues: Iterator[Cue], *, empty: bool = False) -> list[Cue]:
    found: list[Cue] = []
    size = 0
    for cue in cues:
        size += len(cue.text)
        if len(found) >= limits.SUBTITLE_CUES:
            raise LimitError(f"there are more than {limits.SUBTITLE_CUES} subtitles (SUBTITLE_CUES)")
        if size > limits.SUBTITLE_TEXT_BYTES:
            raise LimitError("subtitles have too much text (SUBTITLE_TEXT_BYTES)")
        found.append(cue)
    if not found and not empty:
        raise FormatError("there are no subtitles in it")
    found.sort(key=lambda cue: cue.start)
    return found


def _cues(text: str) -> Iterator[Cue]:
    lines = text.splitlines()
    first = next((line for line in lines[:20] if line.strip()), "").lstrip("\ufeff ")
    if first.startswith("WEBVTT"):
        return _of_blocks(lines, vtt=True)
    if first.startswith("[") or any(line.startswith("Dialogue:") for line in lines[:2000]):
        return _of_events(lines)
    return _of_blocks(lines, vtt=False)


def _of_blocks(lines: list[str], *, vtt: bool) -> Iterator[Cue]:
    number = 0
    while number < len(lines):
        timing = _TIMING.match(lines[number])
        number += 1
        if timing is None:
            continue
        times = timing.groups()
        said: list[str] = []
        while number < len(lines) and lines[number].strip() and _TIMING.match(lines[number]) is None:
            said.append(lines[number])
            number += 1
        if number < len(lines) and lines[number].strip() and said and said[-1].strip().isdecimal():
            said.pop()  # the next one's number, with no empty line before it
        cue = _cue(_seconds(times[:4]), _seconds(times[4:]), _marked("\n".join(said), vtt=vtt))
        if cue is not None:
            yield cue


def _of_events(lines: list[str]) -> Iterator[Cue]:
    fields, start, end = _ASS_FIELDS, 1, 2
    for line in lines:
        kind, _, rest = line[:200_000].partition(":")
        kind = kind.strip().lower()
        if kind == "format":
            names = [name.strip().lower() for name in rest.split(",")[:50]]
            if names[-1:] == ["text"] and "start" in names and "end" in names:
                fields, start, end = len(names), names.index("start"), names.index("end")
        if kind != "dialogue":
            continue
        values = rest.split(",", fields - 1)
        if len(values) < fields:
            continue
        begins, ends = _ASS_TIME.match(values[start]), _ASS_TIME.match(values[end])
        if begins is None or ends is None:
            continue
        cue = _cue(_seconds(begins.groups()), _seconds(ends.groups()), _unstyled(values[-1]))
        if cue is not None:
            yield cue


def _of_rows(codec: str, rows: Iterable[tuple[float, float, bytes]]) -> Iterator[Cue]:
    for start, end, raw in rows:
        if codec == "mov_text":
            raw = raw[2:2 + int.from_bytes(raw[:2])]
        text = decoded(raw)
        if codec in ("ass", "ssa"):
            text = _unstyled(text.split(",", _ASS_BLOCK_FIELDS - 1)[-1])
        else:
            text = _marked("\n".join(line for line in text.splitlines() if line.strip()), vtt=codec == "webvtt")
        cue = _cue(start, end if end > start else start + _SHOWN_SECONDS, text)
        if cue is not None:
            yield cue


def _cue(start: float, end: float, text: str) -> Cue | None:
    if not 0 <= start < end or end > limits.PLAYED_SECONDS or not text.strip():
        return None
    return Cue(start, end, text)


def _marked(text: str, *, vtt: bool) -> str:
    """Of tags those for bold, italics and underline; the rest of the text as it reads."""
    text = _UNSEEN.sub("", text[:4 * limits.SUBTITLE_CUE_CHARS]).replace("\ue000", "").replace("\ue001", "")
    text = _TAG.sub("", _KEPT.sub(lambda tag: f"\ue000{tag[1]}{tag[2].lower()}\ue001", _OVERRIDE.sub("", text)))
    if vtt:
        for entity, char in _ENTITIES:
            text = text.replace(entity, char)
    text = _escaped(text)
    begun = text.rfind("\ue000")
    if begun > text.rfind("\ue001"):
        text = text[:begun].rstrip()  # the cut went through a tag
    return text.translate(_MARKS)


def _unstyled(text: str) -> str:
    """A text of SubStation Alpha without its styling; nothing where it is a drawing."""
    text = text[:8 * limits.SUBTITLE_CUE_CHARS]
    if _DRAWING.search(text):
        return ""
    text = _BRACES.sub("", text).replace("\\N", "\n").replace("\\n", "\n").replace("\\h", "\u00a0")
    return _escaped(_UNSEEN.sub("", text))


def _escaped(text: str) -> str:
    """One subtitle has no empty line in it, and no sign that ends or begins anything."""
    text = "\n".join(line.strip() for line in text.splitlines() if line.strip())
    text = text[:limits.SUBTITLE_CUE_CHARS].strip()  # it may be cut at the end of a line
    for char, escape in _ESCAPES:
        text = text.replace(char, escape)
    return text


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = parts
    whole = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    return whole + int((fraction or "0").ljust(3, "0")) / 1000


def _clock(seconds: float) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}.{whole % 1000:03d}"
