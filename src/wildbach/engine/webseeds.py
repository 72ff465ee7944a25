"""The web seeds of one torrent: which servers are used, with how many lanes, and when one is tried again.

A server that fails is left alone for a while, each time longer; one that gives bad data is banned from the torrent;
what it does not have is not asked of it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import Final, Protocol

from wildbach.base import bitfield, limits
from wildbach.base.errors import UsageError
from wildbach.base.ids import Endpoint
from wildbach.base.rate import RateMeter
from wildbach.engine.peer import Peer
from wildbach.engine.settings import WebSeedSettings
from wildbach.engine.weblane import Fetches, Lane, Refused
from wildbach.net.resolve import ForbiddenURL, Purpose, split
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.webseed import Shelf, Style, Worth, host_of

_RETRY_SECONDS: Final = 10.0
_RETRY_MOST: Final = 600.0
_LANE_BYTES: Final = 4 << 20
"Another lane is opened where there is more than this to fetch for each of them."


class WebSeedState(StrEnum):
    WAITING = "waiting"
    "Nothing to fetch from it, or it is not its turn."
    DOWNLOADING = "downloading"
    RESTING = "resting"
    "It failed, and is tried again later."
    DEAD = "dead"
    "It is of no use: `reason` says why."
    BANNED = "banned"
    "It gave bad data."


@dataclass(frozen=True, slots=True)
class WebSeedView:
    url: str
    style: str
    "`url-list` (BEP 19) or `httpseeds` (BEP 17)."
    state: WebSeedState
    reason: str
    connections: int
    rate: float
    "Bytes a second."
    received: int
    missing_files: int
    "Files that the server does not have."
    retry_in: float | None
    "Seconds until it is tried again."


class WebSeedsOwner(Protocol):
    def web_wanted(self) -> int | None:
        """The pieces that are missing, as a bit set; None while nothing is to be fetched."""
        ...

    def web_join(self, lane: Lane, name: str) -> Peer | None:
        """Take a lane into the swarm; None where there is no room."""
        ...

    def web_run(self, lane: Lane) -> None:
        """Start the lane's work."""
        ...


class WebSeed:
    """One server."""

    def __init__(self, url: str, style: Style, purpose: Purpose, at: Endpoint) -> None:
        self.url = url
        self.style = style
        self.purpose = purpose
        self.at = at
        self.lanes: list[Lane] = []
        self.down = RateMeter(3.0)
        self.fails = 0
        self.not_before = 0.0
        self.reason = ""
        self.dead = False
        self.banned = False
        self.absent: dict[int, None] = {}
        "Files that are not there."

    # -- LaneOwner, wired by `WebSeeds`

    def gave(self, count: int) -> None:
        self.down.add(count)
        self.fails = 0

    def lane_ended(self, lane: Lane, error: Exception | None) -> None:
        if lane in self.lanes:
            self.lanes.remove(lane)
        if isinstance(error, Refused):
            self._refused(error)
        elif isinstance(error, ForbiddenURL):
            self.dead, self.reason = True, error.message

    def _refused(self, error: Refused) -> None:
        verdict = error.verdict
        self.reason = verdict.reason
        if verdict.worth is Worth.MISSING:
            if error.part.file >= 0:
                self.absent[error.part.file] = None
            else:
                self.dead = True
        elif verdict.worth is Worth.REFUSED:
            self.dead = True

    def close(self, error: Exception | None = None) -> None:
        for lane in list(self.lanes):
            lane.close(error)


class WebSeeds:
    """All of one torrent. `tick` once a second."""

    def __init__(
        self, owner: WebSeedsOwner, client: Fetches | None, settings: Callable[[], WebSeedSettings],
        clock: Callable[[], float],
    ) -> None:
        """Without a `client` there are none."""
        self._owner = owner
        self._client = client
        self._settings = settings
        self._clock = clock
        self._seeds: dict[tuple[str, Style], WebSeed] = {}
        self._numbers = count(1)
        self._info: Info | None = None

    @property
    def active(self) -> bool:
        """Something may be fetched from one, now or later: the scheduler must tick."""
        return (
            self._client is not None and self._info is not None and self._settings().enabled
            and bool(self._owner.web_wanted()) and any(not (s.dead or s.banned) for s in self._seeds.values())
        )

    def add(self, urls: Iterable[str], style: Style = Style.FILES, *, by_user: bool = False) -> None:
        """Raises UsageError where a URL cannot be one and the user named it; those of a torrent are passed over."""
        for url in urls:
            key = (url, style)
            if len(self._seeds) >= limits.WEB_SEEDS_PER_TORRENT:
                return
            try:
                parts, port = split(url, allow_idna=True)  # whether such a name is asked is the guard's to say
                if parts.scheme not in ("http", "https"):
                    raise ForbiddenURL("an http or https URL is needed")
            except ForbiddenURL as error:
                if by_user:
                    raise UsageError(f"{url[:100]!r} is no web seed: {error.message}", url=url) from None
                continue
            known = self._seeds.get(key)
            if known is not None:
                if by_user:
                    known.dead, known.not_before, known.purpose = False, 0.0, Purpose.USER
                continue
            number = next(self._numbers)
            # Of a reserved network: a name for blame, no address.
            at = Endpoint(f"240.0.{number >> 8 & 255}.{number & 255}", port)
            self._seeds[key] = WebSeed(url, style, Purpose.USER if by_user else Purpose.WEB_SEED, at)

    def remove(self, url: str) -> None:
        for key in [key for key in self._seeds if key[0] == url]:
            self._seeds.pop(key).close()

    def by_hand(self, style: Style) -> tuple[str, ...]:
        """Those that somebody here added."""
        return tuple(
            seed.url for seed in self._seeds.values() if seed.purpose is Purpose.USER and seed.style is style
        )

    @property
    def named(self) -> tuple[str, ...]:
        """Those that the torrent or its link names."""
        return tuple(
            seed.url for seed in self._seeds.values()
            if seed.purpose is not Purpose.USER and seed.style is Style.FILES
        )

    def know(self, info: Info) -> None:
        self._info = info

    def ban(self, at: Endpoint, reason: str) -> bool:
        """Proven guilty; True where `at` is one of these."""
        for seed in self._seeds.values():
            if seed.at == at:
                seed.banned, seed.reason = True, reason
                seed.close()
                return True
        return False

    def tick(self, now: float) -> None:
        """Open a lane where one is of use."""
        info, client, settings = self._info, self._client, self._settings()
        wanted = self._owner.web_wanted()
        if info is None or client is None or not settings.enabled or not wanted:
            return
        used = sum(bool(seed.lanes) for seed in self._seeds.values())
        for seed in self._seeds.values():
            if seed.dead or seed.banned or seed.not_before > now or len(seed.lanes) >= settings.connections:
                continue
            if not seed.lanes and used >= settings.at_once:
                continue
            able = self._has(seed, info)
            left = info.geometry.bytes_in(wanted & able)
            if not left or left <= _LANE_BYTES * len(seed.lanes):
                continue
            if self._open(seed, info, client, able, settings):
                used += len(seed.lanes) == 1

    def _has(self, seed: WebSeed, info: Info) -> int:
        """The pieces whose files the server has."""
        geometry = info.geometry
        width = bitfield.width_of(geometry.piece_count)
        able = bitfield.full(geometry.piece_count)
        for file in seed.absent:
            pieces = geometry.file_pieces(file)
            able &= ~bitfield.span(pieces.start, pieces.stop, width)
        return able

    def _open(self, seed: WebSeed, info: Info, client: Fetches, able: int, settings: WebSeedSettings) -> bool:
        lane = Lane(
            _Ending(self, seed), Shelf(info, seed.url, seed.style), info.geometry, client, seed.purpose, seed.at,
            bitfield.to_wire(able, info.geometry.piece_count), settings.stall_seconds,
        )
        if self._owner.web_join(lane, f"web seed {host_of(seed.url)}") is None:
            return False
        seed.lanes.append(lane)
        self._owner.web_run(lane)
        return True

    def ended(self, seed: WebSeed, lane: Lane, error: Exception | None) -> None:
        now = self._clock()
        seed.lane_ended(lane, error)
        if isinstance(error, Refused) and error.verdict.worth is Worth.MISSING:
            # The other lanes say that it has the file: they begin anew.
            seed.dead = seed.dead or (self._info is not None and not self._has(seed, self._info))
            seed.close()
        elif error is not None and not (seed.dead or seed.banned) and now >= seed.not_before:
            wait = min(_RETRY_SECONDS * 2 ** min(seed.fails, 10), _RETRY_MOST)
            if isinstance(error, Refused) and error.verdict.retry:
                wait = error.verdict.retry
            seed.fails += 1
            seed.reason = str(error)
            seed.not_before = now + wait
        if seed.dead:
            seed.close()

    def views(self) -> tuple[WebSeedView, ...]:
        now = self._clock()
        return tuple(
            WebSeedView(
                seed.url, seed.style.value, _state(seed, now), "" if seed.lanes and not seed.fails else seed.reason,
                len(seed.lanes), seed.down.rate(now), seed.down.total, len(seed.absent),
                seed.not_before - now if seed.not_before > now and not (seed.dead or seed.banned) else None,
            )
            for seed in self._seeds.values()
        )


def _state(seed: WebSeed, now: float) -> WebSeedState:
    if seed.banned:
        return WebSeedState.BANNED
    if seed.dead:
        return WebSeedState.DEAD
    if seed.lanes:
        return WebSeedState.DOWNLOADING
    return WebSeedState.RESTING if seed.not_before > now else WebSeedState.WAITING


class _Ending:
    """Tells both the server and its keeper."""

    __slots__ = ("_all", "_seed")

    def __init__(self, seeds: WebSeeds, seed: WebSeed) -> None:
        self._all = seeds
        self._seed = seed

    def gave(self, count: int) -> None:
        self._seed.gave(count)

    def lane_ended(self, lane: Lane, error: Exception | None) -> None:
        self._all.ended(self._seed, lane, error)
