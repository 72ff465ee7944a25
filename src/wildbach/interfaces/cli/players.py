"""Programs that play: how each is started, and what mpv says of where it is.

A player is started with a list of arguments, never through a shell; what comes from a torrent stands behind `--` or
within an argument of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.base.words import clean

PLAYERS: Final = ("mpv", "vlc", "browser", "none")
_INSTALL: Final = {
    "mpv": "install it (Debian: apt install mpv; https://mpv.io), or choose --player vlc, browser or none",
    "vlc": "install it (Debian: apt install vlc; https://videolan.org), or choose --player mpv, browser or none",
}
_CONNECT_SECONDS: Final = 15.0
_LINE_BYTES: Final = 64 * limits.KIB
_END_SECONDS: Final = 3.0
_PATIENCE_SECONDS: Final = 2000
"For what has no peers yet, as the command tells; mpv takes no more, for it counts microseconds in 32 bits."
_ONE_FILE: Final = ("--access-references=no", "--demuxer-lavf-o-append=protocol_whitelist=none")
"""mpv opens what it was given and nothing else: a film.mkv that is a playlist in truth would have it call whatever the
maker of a torrent likes, in the home network and past the daemon's proxy."""
_DEMUXERS: Final = {
    suffix: name for name, suffixes in {
        "mp4": "mp4 m4v mov m4a m4b 3gp", "mkv": "mkv webm mka", "avi": "avi", "ts": "ts m2ts mts",
        "ps": "mpg mpeg vob", "ogg": "ogg ogv oga opus", "flac": "flac", "es": "mp3 aac ac3", "wav": "wav",
        "asf": "wmv wma asf",
    }.items() for suffix in suffixes.split()
}
"""VLC reads what it was given as what its name says. Left alone it looks into it and follows playlists, wherever they
lead (tried with VLC 3.0: `#EXTM3U` in a file called film.mp4)."""
_WATCHED: Final = {
    "time-pos": "seconds", "duration": "duration", "speed": "speed", "sub-delay": "subtitle_offset",
    "current-tracks/audio/lang": "audio", "current-tracks/sub/lang": "subtitle",
}
"Properties of mpv, and what they are to us."


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be played, and how."""

    url: str
    title: str
    start: float = 0.0
    "Seconds."
    audio: str = ""
    "Language."
    subtitles: tuple[str, ...] = ()
    "Files and URLs; the first is shown."
    subtitle_language: str = ""
    subtitle_offset: float = 0.0
    speed: float = 1.0


def find(name: str) -> str:
    """Where the program is. Raises UsageError that says what to install."""
    found = shutil.which(name)
    if found is None:
        raise UsageError(f"{name} is not installed: {_INSTALL[name]}", code="no_player")
    return found


def first_there() -> str:
    """The player that is taken where none is named."""
    return next((name for name in ("mpv", "vlc") if shutil.which(name) is not None), "browser")


def mpv_arguments(program: str, ask: Ask, socket: str) -> list[str]:
    found = [
        program, "--no-terminal", "--force-window=yes", f"--input-ipc-server={socket}",
        # A title of its own would have its ${properties} filled in, and names are strangers'.
        "--title=${media-title}", f"--force-media-title={clean(ask.title)}", "--save-position-on-quit=no",
        "--resume-playback=no", f"--network-timeout={_PATIENCE_SECONDS}", "--ytdl=no", *_ONE_FILE,
    ]
    if ask.start > 0:
        found.append(f"--start={ask.start:.3f}")
    if ask.audio:
        found.append(f"--alang={ask.audio}")
    found += (f"--sub-file={one}" for one in ask.subtitles)
    if ask.subtitle_language:
        found.append(f"--slang={ask.subtitle_language}")
    if ask.subtitle_offset:
        found.append(f"--sub-delay={ask.subtitle_offset:.3f}")
    if ask.speed != 1.0:
        found.append(f"--speed={ask.speed:g}")
    return [*found, "--", ask.url]


def vlc_arguments(program: str, ask: Ask) -> list[str]:
    """Raises UsageError for a kind of file that VLC cannot be kept to."""
    suffix = PurePosixPath(urlsplit(ask.url).path).suffix.lower().lstrip(".")
    demuxer = _DEMUXERS.get(suffix)
    if demuxer is None:
        raise UsageError(
            f"VLC follows playlists, and cannot be kept from it with a file of the kind {suffix!r}: "
            "choose --player mpv or browser", code="unsafe_player")
    found = [program, "--play-and-exit", "--no-qt-privacy-ask", f"--meta-title={clean(ask.title)}"]
    if ask.start > 0:
        found.append(f"--start-time={ask.start:.3f}")
    if ask.audio:
        found.append(f"--audio-language={ask.audio}")
    if ask.subtitle_language:
        found.append(f"--sub-language={ask.subtitle_language}")
    for one in ask.subtitles[:1]:
        found.append(f"--input-slave={one}" if "://" in one else f"--sub-file={one}")
    if ask.speed != 1.0:
        found.append(f"--rate={ask.speed:g}")
    return [*found, ask.url, f":demux={demuxer}"]


@dataclass(slots=True)
class Seen:
    """What mpv said so far."""

    values: dict[str, float | str] = field(default_factory=dict)
    "By our names; only what was said. `done` once it was played to its end."
    ended: bool = False
    "The file was played to its end, and not closed."
    failed: str = ""
    "Why it could not be played."

    def take(self, raw: bytes) -> None:
        """A line of mpv. What is none that we know is passed over."""
        try:
            said = json.loads(raw)
        except (ValueError, RecursionError):
            return
        if not isinstance(said, dict):
            return
        if said.get("event") == "end-file":
            self.ended = said.get("reason") == "eof"
            if self.ended:
                self.values["done"] = True
            if said.get("reason") == "error":
                self.failed = str(said.get("file_error", "it cannot be played"))[:limits.PLAY_TEXT_CHARS]
        if said.get("event") != "property-change":
            return
        name, value = _WATCHED.get(str(said.get("name"))), said.get("data")
        if name in ("audio", "subtitle"):
            if isinstance(value, str) and value:
                self.values[name] = value[:limits.PLAY_TEXT_CHARS]
        elif name is not None and isinstance(value, int | float) and _is_possible(name, float(value)):
            self.values[name] = float(value)


def _is_possible(name: str, value: float) -> bool:
    least, most = {
        "speed": (0.05, 20.0), "subtitle_offset": (-3600.0, 3600.0)}.get(name, (0.0, limits.PLAY_SECONDS))
    return least <= value <= most


class Mpv:
    """A running mpv. `seen` changes while it plays."""

    def __init__(self, process: asyncio.subprocess.Process, socket: Path) -> None:
        self.process = process
        self.seen = Seen()
        self._socket = socket

    async def listen(self) -> None:
        """Hear what it says until it ends. Without its socket it plays all the same."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                reader, writer = await self._connect()
        except TimeoutError:
            return
        try:
            for number, name in enumerate(_WATCHED, 1):
                writer.write(json.dumps({"command": ["observe_property", number, name]}).encode() + b"\n")
            while line := await reader.readline():
                self.seen.take(line)
        except (ConnectionError, ValueError):
            return
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while True:
            with contextlib.suppress(OSError):
                return await asyncio.open_unix_connection(str(self._socket), limit=_LINE_BYTES)
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def mpv(program: str, ask: Ask) -> AsyncIterator[Mpv]:
    """mpv until the context is left; its socket lies in a folder that only we can enter."""
    with tempfile.TemporaryDirectory(prefix="wildbach-mpv-") as folder:
        socket = Path(folder) / "mpv.sock"
        async with running(mpv_arguments(program, ask, str(socket))) as process:
            yield Mpv(process, socket)


@contextlib.asynccontextmanager
async def running(arguments: list[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program; it is asked to end when the context is left, and made to if it does not."""
    try:
        process = await asyncio.create_subprocess_exec(
            *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        raise UsageError(f"{arguments[0]} cannot be started: {error.strerror}", code="no_player") from error
    try:
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(_END_SECONDS):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
