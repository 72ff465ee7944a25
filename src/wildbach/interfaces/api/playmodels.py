"""What goes in and out of the Api about playing. Times are seconds since 1970, positions seconds of what is played."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from wildbach.base import limits
from wildbach.interfaces.api.models import Key, Line, Model

Seconds = Annotated[float, Meta(ge=0, le=limits.PLAY_SECONDS)]
Track = Annotated[str, Meta(max_length=limits.PLAY_TEXT_CHARS)]
Index = Annotated[int, Meta(ge=0, le=limits.FILES)]
PlayKind = Literal["video", "audio"]
PlayState = Literal["metadata", "checking", "waiting", "ready", "complete", "stopped"]


class PlayPosition(Model, frozen=True):
    """How far a file was played, and how."""

    seconds: float = 0.0
    resume: float = 0.0
    "Where to go on: 0 for what was not begun, or seen to its end."
    duration: float = 0.0
    "0 where it is not known."
    byte: int = 0
    done: bool = False
    audio: str = ""
    subtitle: str = ""
    subtitle_offset: float = 0.0
    speed: float = 1.0
    delete_after: bool = False
    updated_at: int = 0
    "0: never played."


class PlaySubtitle(Model, frozen=True):
    """A subtitle file that belongs to a video."""

    index: int
    name: str
    path: str
    "Below the URL of the media host."
    size: int
    language: str
    "As in BCP 47; empty where its name does not say."
    forced: bool
    hearing: bool
    "For who does not hear."


class PlayFile(Model, frozen=True):
    """A file that plays."""

    index: int
    name: str
    folder: str
    size: int
    have: int
    "Verified bytes."
    offset: int
    "Where in the torrent it begins, in bytes."
    kind: PlayKind
    mime: str
    label: str
    "`S01E02`; empty where its name does not say."
    season: int
    "-1 where its name does not say."
    episode: int
    extra: bool
    "A sample, a trailer or the like."
    tag: str
    "Names the content; the same for the same file in another torrent with v2 hashes."
    path: str
    "Below the URL of the media host."
    next: int
    "The file that is played after it; -1 for none."
    subtitles: tuple[PlaySubtitle, ...]
    position: PlayPosition


class Media(Model, frozen=True):
    """Where players fetch."""

    port: int
    "0: it cannot listen."
    near: str
    "URL for players of this machine."
    browser: str
    "URL for browsers of this machine."
    away: str
    "URL for other machines; empty while they are not let in."
    lan: bool
    "Whether they are to be let in."
    problem: str
    "Why it does not listen as it should; empty where it does."


class MediaPatch(Model, frozen=True):
    lan: bool | UnsetType = UNSET


class Playables(Model, frozen=True):
    """What of a torrent plays, in the order one watches it."""

    key: str
    name: str
    files: tuple[PlayFile, ...]
    best: int
    "The file to begin with; -1 where nothing plays."
    playlist: str
    "Below the URL of the media host; `?from=INDEX` begins there."
    media: Media
    cache: bool = False
    "It leaves when room is needed, unless it is kept."


class PlayRequest(Model, frozen=True):
    """What to play: a torrent that is in the list, or one that is added to the cache for it. One of `key`, `url` and
    `torrent`.
    """

    key: Annotated[str, Meta(max_length=64)] = ""
    url: Annotated[str, Meta(max_length=1 << 16)] = ""
    "A magnet link, an info hash, or an http(s) URL of a torrent file."
    torrent: Annotated[bytes, Meta(max_length=limits.TORRENT_FILE_BYTES)] = b""
    "A torrent file (base64)."
    index: Index | None = None
    "Which file; None: by `name`, or the best one."
    path: Annotated[str, Meta(max_length=1000)] = ""
    "Which file, as the parts of its path below the torrent's folder joined by `/`; before `name`."
    name: Line = ""
    "A shell pattern or a part of the name of the file."
    delete_after: bool = False
    "Remove the torrent with its files once all of it was seen."
    peers: tuple[Line, ...] = ()
    "Peers to ask at once, as ADDRESS:PORT."
    channel: Annotated[str, Meta(max_length=64)] = ""
    "The key of the channel whose item it is, where it comes from one."


class Play(Model, frozen=True):
    """A file that is played, and how it comes."""

    id: str
    key: str
    name: str
    state: PlayState
    reason: str
    "Why it does not play yet, or not on, in plain words; empty where it does."
    code: str
    "A stable name for the reason where the torrent stopped."
    file: PlayFile | None
    "None until the metadata is here."
    following: PlayFile | None
    "What is played next."
    url: str
    "For players of this machine; empty until the metadata is here."
    browser_url: str
    "For browsers of this machine."
    away_url: str
    "For other machines; empty while they are not let in."
    playlist: str
    "From this file on, for players of this machine."
    at: int
    "The byte a player reads at, or will begin at."
    ready_until: int
    "From there on all is verified up to this byte."
    waiting_seconds: float | None
    "For which a player has been waiting; None where none is."
    players: int
    "Answers that are under way to them."
    down_rate: float
    up_rate: float
    peers: int
    seeds: int
    pieces: str
    "The file in at most 100 cells: `-` missing, `1` to `9` tenths that are there, `#` there."
    duration: float
    "Seconds, as the file itself says; 0 where it is not known."


class Watched(Model, frozen=True):
    """How far somebody got. What is left out stays as it was."""

    key: Key
    index: Index
    seconds: Seconds | UnsetType = UNSET
    byte: Annotated[int, Meta(ge=0, le=1 << 62)] | UnsetType = UNSET
    "For players that tell no time."
    duration: Seconds | UnsetType = UNSET
    done: bool | UnsetType = UNSET
    audio: Track | UnsetType = UNSET
    subtitle: Track | UnsetType = UNSET
    subtitle_offset: Annotated[float, Meta(ge=-3600, le=3600)] | UnsetType = UNSET
    speed: Annotated[float, Meta(ge=0.05, le=20)] | UnsetType = UNSET
    delete_after: bool | UnsetType = UNSET


class WatchingItem(Model, frozen=True):
    """Something to go on with."""

    key: str
    name: str
    "Of the torrent."
    file: PlayFile
    fresh: bool
    "The next one after what was seen; else something that was begun."
    updated_at: int


class WatchingQuery(Model, frozen=True):
    limit: Annotated[int, Meta(ge=1, le=200)] = 20


class Watching(Model, frozen=True):
    items: tuple[WatchingItem, ...]


class PlayEnd(Model, frozen=True):
    """What came of the end of a play."""

    removed: bool
    "The torrent was removed with its files, as was wished."
