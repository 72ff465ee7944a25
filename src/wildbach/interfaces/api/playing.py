"""Playing: which file, how it comes, how far somebody got, and where players of other machines are let in."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import quote

import msgspec
from msgspec import UNSET

from wildbach.base import bitfield, limits
from wildbach.base.errors import UsageError, WildbachError
from wildbach.engine.options import AddOptions
from wildbach.engine.reader import ReaderView
from wildbach.engine.state import State
from wildbach.engine.torrent import Torrent
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import playmodels as pm
from wildbach.interfaces.api.acting import Acting
from wildbach.interfaces.api.adding import Adding, endpoints
from wildbach.interfaces.api.lately import Lately
from wildbach.interfaces.api.looking import Looking, cells
from wildbach.protocol.metainfo import Metainfo, MutableLink
from wildbach.protocol.metainfo.info import Info
from wildbach.services.library.entry import Entry
from wildbach.services.stream.playables import Named, Playable, after, best, playables
from wildbach.services.stream.positions import Position, Positions
from wildbach.services.stream.tags import tag_of
from wildbach.services.stream.tokens import Tokens

_UNASKED_SECONDS: Final = 1800.0
"A play that nobody asked for in so long, and that no player reads, is over."
_CELLS: Final = 100
_OWNER: Final = "stream"
"Whose cache it is that is added to be played."
_LEAVE_TURNS: Final = 100
_RECENT: Final = 500
"Positions that are looked through for what to go on with."


class Looks(Protocol):
    def view(self) -> ReaderView: ...


class PlayHost(Protocol):
    """Where players fetch (`interfaces.http.mediahost`)."""

    def readers(self, key: str, index: int) -> Sequence[Looks]:
        """Those of a file that are under way, the last to move first."""
        ...

    def drop(self, key: str) -> None:
        """End what is under way of a torrent."""
        ...

    def duration(self, tag: str) -> float:
        """Seconds, as the file itself says; 0 where that is not known."""
        ...


class MediaPlace(Protocol):
    """Where it listens (`interfaces.http.mediaserver`)."""

    port: int
    away: str
    problem: str

    @property
    def near_url(self) -> str: ...

    @property
    def browser_url(self) -> str: ...


@dataclass(slots=True)
class Played:
    """One play."""

    id: str
    key: str
    index: int | None
    path: str
    name: str
    delete_after: bool
    added: bool
    "The torrent was added for it, so only what is played is fetched."
    problem: WildbachError | None = None
    task: asyncio.Task[None] | None = None
    claim: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    "While it is open, the torrent does not leave the cache."


class Playing(Looking, Adding, Acting):
    """A part of the Api."""

    tokens: Tokens
    positions: Positions
    plays: Lately[Played]
    play_host: PlayHost | None = None
    media_place: MediaPlace | None = None

    # -- what there is

    async def playables(self, key: str) -> pm.Playables:
        torrent = await self.known(key)
        info = (await self.metainfo(key)).info
        token = await self.tokens.of(key)
        found = await self._found(info)
        first = best(found, lambda one: self._position(info, one.index).done)
        return pm.Playables(
            key, torrent.name, tuple(self._file(torrent, info, token, found, one) for one in found),
            first.index if first is not None else -1, f"/{token}/playlist.m3u8", self._media(),
            bool(torrent.options.cache))

    async def watching(self, query: pm.WatchingQuery) -> pm.Watching:
        items: dict[tuple[str, int], pm.WatchingItem] = {}
        for tag, position in self.positions.recent()[:_RECENT]:
            if len(items) >= query.limit:
                break
            torrent = self.core.session.torrent(position.torrent)
            if torrent is None or not position.begun or self.core.library.in_trash(torrent.key):
                continue
            info = (await self.known(torrent.key)).info
            if info is None or position.index >= len(info.files) or tag_of(info, position.index) != tag:
                continue
            found = await self._found(info)
            one = next((one for one in found if one.index == position.index), None)
            following = after(found, position.index) if one is not None and position.done else one
            if following is None or (position.done and self._position(info, following.index).begun):
                continue
            token = await self.tokens.of(torrent.key)
            items.setdefault((torrent.key, following.index), pm.WatchingItem(
                torrent.key, torrent.name, self._file(torrent, info, token, found, following), position.done,
                position.updated_at))
        return pm.Watching(tuple(items.values()))

    # -- one play

    async def start_play(self, request: pm.PlayRequest) -> pm.Play:
        if sum(map(bool, (request.key, request.url, request.torrent))) != 1:
            raise UsageError("a play is of one key, one url or one torrent file")
        with contextlib.ExitStack() as claim:
            key, added = request.key, False
            if not key:
                key, added = await self._come_by(request, claim)
            torrent = self.core.catalog.torrent(key)
            if not added:
                claim.enter_context(self.core.session.content.claim(key))
                await self._let_run(torrent)
            play = Played(
                secrets.token_hex(8), key, request.index, request.path, request.name, request.delete_after, added,
                claim=claim.pop_all())
        play.task = self.core.scope.spawn(f"play:{play.id}", self._settle(play), contain=self.core.report)
        self.plays.put(play.id, play)
        # Where all is known already, the answer has it.
        await asyncio.wait([play.task], timeout=0.5)
        return await self._view_of(play)

    async def _come_by(self, request: pm.PlayRequest, claim: contextlib.ExitStack) -> tuple[str, bool]:
        """The torrent of a link or a file, and whether it was added to the cache. One that is there stays as it is."""
        core = self.core
        source = request.url or "a torrent file"
        loaded = await (self._fetch(request.url) if request.url else self._parse(request.torrent))
        adding = m.AddRequest(stopped=False, peers=request.peers)
        if isinstance(loaded, MutableLink):
            followed = await self._add(source, loaded, adding)
            if not followed.key:
                raise UsageError(
                    "what a link to a torrent that changes has plays once it is in the list", code="unsupported")
            return followed.key, False
        hashes = loaded.info.hashes if isinstance(loaded, Metainfo) else loaded.hashes
        async with core.adding:
            there = core.session.known(hashes)
            if there is not None:
                await core.session.content.over(there.key)
                there = core.session.known(hashes)
            if there is not None:
                return (await self._again(source, there, loaded, adding)).key, False
            await core.library.enlist(hashes.key, Entry(channel=request.channel))
            try:
                # Files are chosen before there has to be room for them.
                torrent = await core.session.add(loaded, AddOptions(
                    cache=_OWNER, metadata_only=True, existing="overwrite", peers=endpoints(request.peers)))
            except WildbachError:
                await core.library.unlist(hashes.key)
                raise
            claim.enter_context(core.session.content.claim(torrent.key))
            core.catalog.touch(torrent.key)
            core.log.write("info", f"{torrent.name} is played, from the cache", torrent.key)
            return torrent.key, True

    async def _let_run(self, torrent: Torrent) -> None:
        """For as long as it is played; then it is as before."""
        library = self.core.library
        unwilling = not torrent.whole and library.entry(torrent.key).stopped
        if unwilling or torrent.state in (State.PAUSED, State.STOPPED):
            await library.lend(torrent.key)
            self.core.catalog.touch(torrent.key)

    def is_read(self, play: Played) -> bool:
        """A player has the file open, which may ask nothing else: a television."""
        return (
            play.index is not None and self.play_host is not None
            and bool(self.play_host.readers(play.key, play.index)))

    def play_over(self, play: Played) -> None:
        """It is not in the list any more."""
        if play.task is not None:
            play.task.cancel()
        play.claim.close()
        if not any(other.key == play.key for other in self.plays):
            self.core.scope.spawn(f"played:{play.id}", self._give_back(play.key), contain=self.core.report)

    async def _give_back(self, key: str) -> None:
        await self.core.library.give_back(key)
        if self.core.session.torrent(key) is not None:
            self.core.catalog.touch(key)

    async def remove_torrents(self, removal: m.Removal) -> m.Outcome:
        """Nobody plays on what somebody removes: else it would be in use, and stay in the cache."""
        library = self.core.library
        for key in self.core.catalog.keys(removal.keys, everything=removal.all) if len(self.plays) else ():
            if library.cached(key):
                await self._leave(key)
        return await super().remove_torrents(removal)

    async def _leave(self, key: str) -> None:
        """End what is played of a torrent."""
        for id in [play.id for play in self.plays if play.key == key]:
            self.plays.drop(id)
        if self.play_host is not None:
            self.play_host.drop(key)
        torrent = self.core.session.torrent(key)
        for _ in range(_LEAVE_TURNS):
            if torrent is None or torrent.asleep or not torrent.reading:
                break
            await asyncio.sleep(0.02)  # answers that were broken off are about to end

    async def play(self, id: str) -> pm.Play:
        return await self._view_of(self._played(id))

    async def end_play(self, id: str) -> pm.PlayEnd:
        play = self._played(id)
        self.plays.drop(id)
        return pm.PlayEnd(await self._remove_if_seen(play))

    async def put_watched(self, watched: pm.Watched) -> pm.PlayPosition:
        torrent = await self.known(watched.key)
        info = (await self.metainfo(watched.key)).info
        _check_index(info, watched.index)
        before = self._position(info, watched.index)
        changes = {
            name: value for name in ("seconds", "byte", "duration", "done", "audio", "subtitle", "subtitle_offset",
                                     "speed", "delete_after")
            if (value := getattr(watched, name)) is not UNSET}
        # Who begins anew what was seen to its end has not seen it to its end this time.
        changes.setdefault("done", before.done and "seconds" not in changes)
        position = await self.positions.put(
            tag_of(info, watched.index),
            msgspec.structs.replace(before, torrent=torrent.key, index=watched.index, **changes),
            info.files[watched.index].length)
        return _position(position)

    async def forget_watched(self, key: str) -> None:
        info = (await self.metainfo(key)).info
        await self.positions.forget([tag_of(info, index) for index in range(min(len(info.files), limits.PLAY_FILES))])

    # -- where players fetch

    async def media(self) -> pm.Media:
        return self._media()

    async def change_media(self, patch: pm.MediaPatch) -> pm.Media:
        core = self.core
        if patch.lan is not UNSET:
            self._place()
            await core.choices.change({"media.lan": patch.lan}, core.session, core.library)
        return self._media()

    async def renew_media_token(self, key: str) -> pm.Playables:
        self.core.catalog.torrent(key)
        await self.tokens.renew(key)
        if self.play_host is not None:
            self.play_host.drop(key)
        return await self.playables(key)

    def _place(self) -> MediaPlace:
        if self.media_place is None:
            raise UsageError("there is no media host in this process", code="no_media")
        return self.media_place

    def _media(self) -> pm.Media:
        place, lan = self.media_place, self.core.settings.media.lan
        if place is None:
            return pm.Media(0, "", "", "", lan, "there is no media host in this process")
        return pm.Media(place.port, place.near_url, place.browser_url, place.away, lan, place.problem)

    # -- how

    def _played(self, id: str) -> Played:
        play = self.plays.get(id)
        if play is None:
            raise UsageError("there is no such play any more", code="not_found")
        return play

    async def _found(self, info: Info) -> tuple[Playable, ...]:
        files = [Named(index, file.path.parts, file.length) for index, file in enumerate(info.files) if file.written]
        return playables(files) if len(files) < 1000 else await self.core.threads.run(playables, files)

    def _position(self, info: Info, index: int) -> Position:
        return self.positions.get(tag_of(info, index)) or Position()

    async def _settle(self, play: Played) -> None:
        """Choose the file once the metadata is here, and have it fetched."""
        try:
            torrent = self.core.catalog.torrent(play.key)
            info = await torrent.metadata()
            found = await self._found(info)
            one = self._choose(play, info, found)
            play.index = one.index
            if play.delete_after:
                await self.put_watched(pm.Watched(play.key, one.index, delete_after=True))
            await self._want(torrent, info, one, only=play.added)
            if torrent.options.metadata_only:
                await torrent.resume()
        except WildbachError as error:
            play.problem = error
            if play.added:
                play.claim.close()
                await self.evict_all([play.key])  # nothing of it was fetched, and nobody asked for it to be here

    def _choose(self, play: Played, info: Info, found: Sequence[Playable]) -> Playable:
        if play.index is not None:
            _check_index(info, play.index)
            one = next((one for one in found if one.index == play.index), None)
            if one is None:
                raise UsageError(
                    f"file {play.index}, {info.files[play.index].path}, does not play", code="not_playable")
            return one
        if play.path:
            exact = next((one for one in found if "/".join(info.files[one.index].path.parts) == play.path), None)
            if exact is None:
                raise UsageError(f"no file that plays is {play.path!r} in this torrent", code="not_playable")
            return exact
        word = play.name.casefold()
        named = [one for one in found if not word or word in "/".join(one.path).casefold()
                 or fnmatch.fnmatchcase(one.path[-1].casefold(), word)]
        chosen = best(named, lambda one: self._position(info, one.index).done)
        if chosen is None:
            raise UsageError(
                f"no file that plays is called {play.name!r}" if named != list(found) or found else
                "nothing in this torrent plays", code="not_playable")
        return chosen

    async def _want(self, torrent: Torrent, info: Info, one: Playable, *, only: bool) -> None:
        """`only`: nothing else is fetched, as the torrent is there for this alone."""
        priorities = torrent.known.selection.priorities if torrent.known is not None else ()
        mine = {one.index, *(text.index for text in one.subtitles)}
        changes = {index: 1 for index in sorted(mine) if not priorities[index]}
        if only:
            changes |= {index: 0 for index in range(len(info.files)) if index not in mine and priorities[index]}
        if changes:
            await torrent.set_priorities(changes)

    async def _view_of(self, play: Played) -> pm.Play:
        if play.problem is not None:
            raise play.problem
        torrent = self.core.catalog.torrent(play.key)
        info, place = torrent.info, self.media_place
        view = torrent.view()
        if info is None or play.index is None or (play.task is not None and not play.task.done()):
            stopped = torrent.state is State.STOPPED
            return pm.Play(
                play.id, play.key, torrent.name, "stopped" if stopped else "metadata", view.reason, view.code, None,
                None, "", "", "", "", 0, 0, None, 0, view.down_rate, view.up_rate, view.peers, view.seeds, "", 0.0)
        token = await self.tokens.of(play.key)
        found = await self._found(info)
        one = next(one for one in found if one.index == play.index)
        file = self._file(torrent, info, token, found, one)
        following = after(found, one.index)
        readers = self.play_host.readers(play.key, one.index) if self.play_host is not None else ()
        looks = readers[0].view() if readers else None
        at = looks.position if looks is not None else 0
        ready = looks.ready_until if looks is not None else self._ready(torrent, info, one.index)
        state, reason = self._state(torrent, file, looks, ready > at, view.reason)
        near, browser, away = (
            (place.near_url, place.browser_url, place.away) if place is not None else ("", "", ""))
        return pm.Play(
            play.id, play.key, torrent.name, state, reason, view.code, file,
            self._file(torrent, info, token, found, following) if following is not None else None,
            near and near + file.path, browser and browser + file.path, away and away + file.path,
            near and f"{near}/{token}/playlist.m3u8?from={one.index}", at, ready,
            looks.waiting_since if looks is not None else None, len(readers), view.down_rate, view.up_rate, view.peers,
            view.seeds, _pieces(torrent, info, one.index),
            self.play_host.duration(file.tag) if self.play_host is not None else 0.0)

    def _state(
        self, torrent: Torrent, file: pm.PlayFile, looks: ReaderView | None, ready: bool, why: str,
    ) -> tuple[pm.PlayState, str]:
        if file.have >= file.size:
            return "complete", ""
        if torrent.state is State.STOPPED:
            return "stopped", torrent.reason
        if torrent.state is State.CHECKING:
            return "checking", "the files are being checked"
        if looks is not None and looks.waiting_since is not None:
            return "waiting", looks.reason or why
        return ("ready", "") if ready else ("waiting", why)

    @staticmethod
    def _ready(torrent: Torrent, info: Info, index: int) -> int:
        """The bytes at its beginning that are there."""
        file, pieces = info.geometry.files[index], info.geometry.file_pieces(index)
        width = bitfield.width_of(info.geometry.piece_count)
        gap = bitfield.first_from(
            bitfield.span(pieces.start, pieces.stop, width) & ~torrent.had[1], pieces.start, width)
        return file.length if gap < 0 else max(0, gap * info.piece_length - file.offset)

    def _file(
        self, torrent: Torrent, info: Info, token: str, found: Sequence[Playable], one: Playable,
    ) -> pm.PlayFile:
        view = next(iter(torrent.files([one.index])), None)
        following = after(found, one.index)
        episode = one.episode
        label = ""
        if episode is not None:
            label = f"S{episode.season:02}E{episode.number:02}" + (
                f"-E{episode.last:02}" if episode.last > episode.number else "")
        return pm.PlayFile(
            one.index, one.path[-1], "/".join(one.path[:-1]), one.size, view.have if view is not None else 0,
            info.geometry.files[one.index].offset, "video" if one.kind == "video" else "audio", one.mime, label,
            episode.season if episode is not None else -1, episode.number if episode is not None else -1, one.extra,
            tag_of(info, one.index), _path(token, one.index, one.path[-1]),
            following.index if following is not None else -1,
            tuple(
                pm.PlaySubtitle(
                    text.index, text.path[-1], _path(token, text.index, text.path[-1]), text.size, text.language,
                    text.forced, text.hearing)
                for text in one.subtitles),
            _position(self._position(info, one.index)))

    async def _remove_if_seen(self, play: Played) -> bool:
        """Whether all that plays was seen, and it was wished that it goes then."""
        torrent = self.core.session.torrent(play.key)
        info = torrent.info if torrent is not None else None
        if info is None or play.index is None or not self._position(info, play.index).delete_after:
            return False
        found = await self._found(info)
        if not all(self._position(info, one.index).done for one in found if not one.extra):
            return False
        await self._leave(play.key)
        outcome = await self.remove_torrents(m.Removal(keys=(play.key,), files=True))
        return outcome.done == 1


def plays_of(api: Playing) -> Lately[Played]:
    """Where plays are kept."""
    return Lately(
        api.core.scope, api.core.report, seconds=_UNASKED_SECONDS, most=limits.PLAYS, gone=api.play_over,
        busy=api.is_read)


def _check_index(info: Info, index: int) -> None:
    if not 0 <= index < len(info.files) or not info.files[index].written:
        raise UsageError(f"there is no file {index} in this torrent", code="not_found")


def _path(token: str, index: int, name: str) -> str:
    return f"/{token}/{index}/{quote(name, safe='')}"


def _position(one: Position) -> pm.PlayPosition:
    return pm.PlayPosition(
        one.seconds, one.resume, one.duration, one.byte, one.done, one.audio, one.subtitle, one.subtitle_offset,
        one.speed, one.delete_after, one.updated_at)


def _pieces(torrent: Torrent, info: Info, index: int) -> str:
    """The file in a few cells."""
    span = info.geometry.file_pieces(index)
    if not span:
        return ""
    width = bitfield.width_of(info.geometry.piece_count)
    bits = torrent.had[1] >> (width - span.stop) & ((1 << len(span)) - 1)
    return "".join(cells(bits << (-len(span) % 8), len(span), max(1, -(-len(span) // _CELLS))))
