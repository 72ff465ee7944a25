"""The media host: the files of torrents over HTTP, for players, televisions and other clients.

    /TOKEN/INDEX/NAME           a file, by its number; the name is for people and players
    /TOKEN/playlist.m3u8        what can be played, from `?from=INDEX` on
    /TOKEN/seed/NAME/PATH       the same files by their paths: a web seed (BEP 19)
    /TOKEN/INDEX/hls/...        and `sub/...`: what other parts make of a file

Who has a token reads one torrent, and nothing else; nothing here lists torrents, takes a cookie or changes anything.
Only what a browser can show without running it is shown; all else is a download that no script of ours sits beside.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from typing import Final, Protocol
from urllib.parse import quote, unquote_to_bytes

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import StorageError, UsageError, WildbachError
from wildbach.base.words import clean
from wildbach.net import ranges
from wildbach.net.httpd import Answer, Request, Response, Stream, WebSocketUpgrade
from wildbach.protocol.metainfo.info import Info
from wildbach.services.stream.kinds import Kind, type_of
from wildbach.services.stream.playables import Named, playables
from wildbach.services.stream.tags import tag_of
from wildbach.services.stream.tokens import TOKEN

log = logging.getLogger(__name__)

_CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Accept-Ranges, Content-Length, Content-Range, ETag",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Allow-Headers": "Range, If-Range, If-None-Match",
    "Access-Control-Max-Age": "86400",
}
_ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "private, no-cache",
}
_SANDBOX: Final = "default-src 'none'; sandbox; frame-ancestors 'none'"
_DLNA: Final = {
    "transferMode.dlna.org": "Streaming",
    # By bytes, not by time; not converted; streamed and connection stalling permitted (DLNA 1.5).
    "contentFeatures.dlna.org": "DLNA.ORG_OP=01;DLNA.ORG_CI=0;DLNA.ORG_FLAGS=01700000000000000000000000000000",
}
PLAYLIST: Final = "playlist.m3u8"
SEED: Final = "seed"
_FROM: Final = re.compile(r"(?:^|&)from=(\d{1,7})(?:&|$)", re.ASCII)
_INDEX_DIGITS: Final = 7
_PAD_DIGITS: Final = 9
"A pad file is shorter than a piece."
_ANY: Final = "application/octet-stream"
_MANY: Final = 5000
"Files of which a table is made apart, so that nobody waits for it."


class ReadsFile(Protocol):
    """One reader of one file; what it gives is verified."""

    @property
    def size(self) -> int: ...

    async def read(self, offset: int, limit: int) -> bytes:
        """At least one byte, at most `limit`; none at the end. Waits for them."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """A torrent on the media host."""

    key: str
    info: Info


class Stage(Protocol):
    """Where torrents and readers come from."""

    async def shown(self, token: str) -> Shown | None:
        """The torrent of a token; None where there is none. Raises UsageError where its files are not known yet."""
        ...

    def open(self, key: str, index: int) -> AbstractAsyncContextManager[ReadsFile]:
        """A reader of a file of it."""
        ...

    def check(self, key: str, index: int) -> None:
        """Raises UsageError where a file will never come, as it is not chosen for download."""
        ...

    def whole(self, key: str, index: int) -> bool:
        """All of the file is here."""
        ...


PartHandler = Callable[[Request, Shown, int, tuple[str, ...]], Awaitable[Answer]]
"Answers for `/TOKEN/INDEX/<its name>/...`: the request, the torrent, the file, and the path that is left, unescaped."


class MediaHost:
    """Answers requests. `root` gives the URL by which a caller reaches us."""

    def __init__(self, stage: Stage, root: Callable[[Request], str]) -> None:
        self._stage = stage
        self._root = root
        self._going: dict[Sending, None] = {}
        "Under way; the one that began first is first."
        self._tables: OrderedDict[str, dict[tuple[bytes, ...], int]] = OrderedDict()
        self.parts: dict[str, PartHandler] = {}
        self._making: list[tuple[str, bool]] = []
        "The torrents of what parts are made of now, and whether for another machine."

    async def __call__(self, request: Request) -> Answer:
        if request.method == "OPTIONS":
            return Response(status=204, headers={**_ALWAYS, **_CORS, **_PREFLIGHT})
        if request.method not in ("GET", "HEAD"):
            return _said(405, "this can only be read", {"Allow": "GET, HEAD, OPTIONS"})
        try:
            return await self._answer(request)
        except UsageError as error:
            missing = error.code == "not_found"
            return _said(404 if missing else 503, error.message, {} if missing else {"Retry-After": "2"})
        except WildbachError as error:
            return _said(503, error.message, {"Retry-After": "10"})

    def readers(self, key: str, index: int) -> list[ReadsFile]:
        """Those of a file that are under way, the last to move first."""
        mine = [one for one in self._going if (one.key, one.index) == (key, index) and one.reader is not None]
        mine.sort(key=lambda one: -one.moved)
        return [one.reader for one in mine if one.reader is not None]

    def drop(self, key: str) -> None:
        """End what is under way of a torrent: its token is another one, or it is gone."""
        self._tables.pop(key, None)
        for one in list(self._going):
            if one.key == key:
                one.end()

    async def _answer(self, request: Request) -> Answer:
        token, *path = request.path.removeprefix("/").split("/")
        shown = await self._stage.shown(token) if TOKEN.fullmatch(token) else None
        if shown is None or not path:
            raise _nothing()
        if path == [PLAYLIST]:
            return self._playlist(request, token, shown)
        if path[0] == SEED:
            return await self._seed(request, shown, path[1:])
        index = _index(path[0], shown.info)
        if len(path) > 2:
            part = self.parts.get(path[1])
            if part is None:
                raise _nothing()
            with self._seat(shown.key, request.remote.host):
                answer = await part(request, shown, index, tuple(_text(one) for one in path[2:]))
            if isinstance(answer, WebSocketUpgrade):
                return answer
            return replace(answer, headers={**_ALWAYS, **_CORS, **answer.headers})
        return self.file(request, shown, index)

    # -- files

    def file(self, request: Request, shown: Shown, index: int) -> Answer:
        """A file, or the part of it that is asked for. Raises UsageError, code `busy`, where too many are under way."""
        file = shown.info.files[index]
        kind = type_of(file.path.name)
        part = ranges.part_of(request.headers, file.length, tag_of(shown.info, index))
        name = quote(file.path.name, safe="")
        headers = {
            **_ALWAYS, **_CORS, **dict(part.headers),
            "Content-Disposition": f"{'inline' if kind.passive else 'attachment'}; filename*=UTF-8''{name}",
        }
        if not kind.passive:
            headers["Content-Security-Policy"] = _SANDBOX
        if kind.kind in (Kind.VIDEO, Kind.AUDIO, Kind.IMAGE):
            headers |= _DLNA
        if part.status in (304, 416):
            return Response(status=part.status, content_type=kind.mime, headers=headers)
        if request.method == "HEAD" or not part.length:
            return Stream(_nothing_sent(), part.status, kind.mime, headers, part.length)
        self._stage.check(shown.key, index)
        self._make_room(shown.key, request.remote.host)
        sending = Sending(self, shown.key, index, request.remote.host, part.first, part.length)
        self._going[sending] = None
        return Stream(sending, part.status, kind.mime, headers, part.length)

    def opened(self, key: str, index: int) -> AbstractAsyncContextManager[ReadsFile]:
        return self._stage.open(key, index)

    def left(self, sending: Sending) -> None:
        self._going.pop(sending, None)

    @contextlib.contextmanager
    def _seat(self, key: str, host: str) -> Iterator[None]:
        """Each part that is made has a reader, too. Raises UsageError, code `busy`, where too many are."""
        mine = key, _is_remote(host)
        for most, count in (
            (limits.MEDIA_READERS_PER_TORRENT, sum(one == key for one, _ in self._making)),
            (limits.MEDIA_READERS_REMOTE, sum(remote for _, remote in self._making) if mine[1] else 0),
            (limits.MEDIA_READERS, len(self._making)),
        ):
            if count >= most:
                raise UsageError(f"{most} answers are made already", code="busy")
        self._making.append(mine)
        try:
            yield
        finally:
            self._making.remove(mine)

    def _make_room(self, key: str, host: str) -> None:
        """Who does not fetch what it asked for goes first: players leave answers behind when they jump."""
        for most, among in (
            (limits.MEDIA_READERS_PER_TORRENT, [one for one in self._going if one.key == key]),
            (limits.MEDIA_READERS_REMOTE, [one for one in self._going if one.remote] if _is_remote(host) else []),
            (limits.MEDIA_READERS, list(self._going)),
        ):
            if len(among) < most:
                continue
            idle = [one for one in among if one.unfetched]
            if not idle:
                raise UsageError(f"{most} answers are under way already", code="busy")
            min(idle, key=lambda one: one.moved).end()

    # -- what else there is

    def _playlist(self, request: Request, token: str, shown: Shown) -> Answer:
        found = playables(named(shown.info))
        asked = _FROM.search(request.query)
        begin = next((place for place, one in enumerate(found) if asked and str(one.index) == asked[1]), 0)
        root = self._root(request)
        lines = ["#EXTM3U"]
        for one in found[begin:]:
            lines += (
                f"#EXTINF:-1,{clean(one.path[-1])}", f"{root}/{token}/{one.index}/{quote(one.path[-1], safe='')}")
        body = "\n".join((*lines, "")).encode()
        return Response(body, content_type="audio/x-mpegurl", headers={**_ALWAYS, **_CORS})

    async def _seed(self, request: Request, shown: Shown, path: list[str]) -> Answer:
        table = self._tables.get(shown.key)
        if table is None:
            many = len(shown.info.files) > _MANY
            table = await asyncio.get_running_loop().run_in_executor(
                None, _table, shown.info) if many else _table(shown.info)
            self._tables[shown.key] = table
            while len(self._tables) > limits.MEDIA_TABLES:
                self._tables.popitem(last=False)
        index = table.get(tuple(unquote_to_bytes(part) for part in path))
        if index is None:
            zeros = _padding(shown.info, path)
            if not zeros:
                raise _nothing()
            return self._zeros(request, shown.key, zeros)
        if not self._stage.whole(shown.key, index):
            # A web seed is asked by peers: what they want is not what somebody here watches.
            raise UsageError("this file is not complete yet", code="incomplete")
        return self.file(request, shown, index)

    def _zeros(self, request: Request, key: str, length: int) -> Answer:
        part = ranges.part_of(request.headers, length, f"zeros-{length}")
        headers = {**_ALWAYS, **_CORS, **dict(part.headers), "Content-Security-Policy": _SANDBOX}
        if part.status in (304, 416):
            return Response(status=part.status, headers=headers)
        if request.method == "HEAD" or not part.length:
            return Stream(_nothing_sent(), part.status, _ANY, headers, part.length)
        self._make_room(key, request.remote.host)
        sending = Sending(self, key, -1, request.remote.host, part.first, part.length)
        self._going[sending] = None
        return Stream(sending, part.status, _ANY, headers, part.length)


class Sending:
    """A part of a file on its way to a client: an iterator over chunks, which reads the next one when the client has
    taken the last. `aclose` lets go of the reader at once. With -1 as its number it is zeros, which nobody has to have.
    """

    def __init__(self, host: MediaHost, key: str, index: int, remote: str, first: int, length: int) -> None:
        self.key = key
        self.index = index
        self.remote = _is_remote(remote)
        self.reader: ReadsFile | None = None
        self.unfetched = False
        "The client has not taken the last chunk yet."
        loop = asyncio.get_running_loop()
        self.moved = loop.time()
        self._clock = loop.time
        self._host = host
        self._at = first
        self._left = length
        self._task = asyncio.current_task()
        self._stack = AsyncExitStack()

    def __aiter__(self) -> Sending:
        return self

    async def __anext__(self) -> bytes:
        self.unfetched = False
        self.moved = self._clock()
        if not self._left:
            raise StopAsyncIteration
        try:
            data = await self._read()
        except WildbachError as error:
            # The head is sent: all that is left is to break off, so that nobody takes a part for the whole.
            log.info("an answer of the media host was broken off: %s", error.message)
            raise ConnectionAbortedError(error.message) from error
        self._at += len(data)
        self._left -= len(data)
        self.unfetched = True
        self.moved = self._clock()
        return data

    async def _read(self) -> bytes:
        if self.index < 0:
            return bytes(min(self._left, limits.MEDIA_CHUNK_BYTES))
        if self.reader is None:
            self.reader = await self._stack.enter_async_context(self._host.opened(self.key, self.index))
        data = await self.reader.read(self._at, min(self._left, limits.MEDIA_CHUNK_BYTES))
        if not data:
            raise StorageError("the file is shorter than it was")
        return data

    async def aclose(self) -> None:
        self._host.left(self)
        self.reader = None
        await self._stack.aclose()

    def end(self) -> None:
        """Break off: its client has to ask again."""
        self._host.left(self)
        if self._task is not None:
            self._task.cancel()


def named(info: Info) -> list[Named]:
    """The files that are there for people."""
    return [Named(index, file.path.parts, file.length) for index, file in enumerate(info.files) if file.written]


async def _nothing_sent() -> AsyncIterator[bytes]:
    for never in range(0):
        yield bytes(never)


def _index(text: str, info: Info) -> int:
    index = int(text) if text.isascii() and text.isdecimal() and len(text) <= _INDEX_DIGITS else -1
    if not 0 <= index < len(info.files) or str(index) != text or not info.files[index].written:
        raise _nothing()
    return index


def _table(info: Info) -> dict[tuple[bytes, ...], int]:
    """By the path below the web seed's URL: as the torrent has it, and as it was made safe."""
    found: dict[tuple[bytes, ...], int] = {}
    tops = {info.name_raw or info.name.encode(), info.name.encode()}
    for index, file in enumerate(info.files):
        if file.written:
            for path in (file.path.raw, tuple(part.encode() for part in file.path.parts)):
                for top in sorted(tops):
                    found.setdefault((top, *path) if info.multi_file else path, index)
    return found


def _padding(info: Info, path: list[str]) -> int:
    """How long a pad file is, by the name that BEP 47 gives them, `.pad/LENGTH`; 0 for what is none. Clients that know
    no pad files ask for them, such as aria2.
    """
    length = path[2] if len(path) == 3 and path[1] == ".pad" and info.multi_file else ""
    top = unquote_to_bytes(path[0]) if length else b""
    known = top in (info.name_raw, info.name.encode()) and length.isascii() and length.isdecimal()
    return int(length) if known and len(length) <= _PAD_DIGITS and int(length) < info.piece_length else 0


def _text(part: str) -> str:
    return unquote_to_bytes(part).decode("utf-8", "replace")


def _is_remote(host: str) -> bool:
    return classify(host) is not Reach.LOCAL


def _nothing() -> UsageError:
    return UsageError("there is nothing here", code="not_found")


def _said(status: int, text: str, headers: dict[str, str]) -> Response:
    return Response(
        f"{clean(text)}\n".encode(), status, "text/plain",
        {**_ALWAYS, **_CORS, "Content-Security-Policy": _SANDBOX, **headers})
