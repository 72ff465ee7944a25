"""All readers of one torrent: what they are given, and what is fetched because of them.

What is played within two seconds comes first, block by block and from two peers where one is slow (NOW); then what is
played within twenty, in the order it is due (HOT); then, the rarest first, the next two minutes (WARM). The rest comes
as ever. Five times a second, and at once when a reader jumps, the plan is made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from wildbach.base import bitfield, limits
from wildbach.base.errors import StorageError, UsageError
from wildbach.base.geometry import BLOCK, Geometry
from wildbach.engine.early import Early, Fetcher, Kept
from wildbach.engine.hashes import Fetched
from wildbach.engine.holdings import Holdings
from wildbach.engine.picker import Focus
from wildbach.engine.reader import Reader
from wildbach.engine.state import State
from wildbach.engine.swarm import Content
from wildbach.protocol.layers import PieceHashes
from wildbach.protocol.metainfo.info import Info
from wildbach.runtime.workers import Threads

_NOW_SECONDS: Final = 2.0
_HOT_SECONDS: Final = 20.0
_WARM_SECONDS: Final = 120.0
_PLAN_SECONDS: Final = 0.2
_LEAF_SECONDS: Final = 6.0
"Leaves are asked for of pieces that are due within this time."
_HELD_SECONDS: Final = 5.0
"A reader that waits although what it plays is far behind gets on within this time."
_LEAST_NOW: Final = 8
"Blocks from where somebody waits that are due at once, however slowly it is played."


class ReadingOwner(Protocol):
    """The torrent."""

    @property
    def state(self) -> State: ...

    @property
    def reason(self) -> str: ...

    @property
    def code(self) -> str: ...

    @property
    def content(self) -> Content | None: ...

    @property
    def holdings(self) -> Holdings | None: ...

    async def prove(self, pieces: int) -> None:
        """Hash pieces that were only taken as good."""
        ...

    def false_blocks(self, piece: int, blocks: int) -> None:
        """Blocks of an open piece are proven false."""
        ...

    def ask_for_hashes(self) -> None:
        """Leaves are wanted: ask peers for them."""
        ...

    def focused(self) -> None:
        """Other pieces are wanted than before."""
        ...

    def why(self) -> str:
        """Why nothing comes, in plain words."""
        ...


class Readers:
    """Made when the first reader is opened."""

    def __init__(
        self, owner: ReadingOwner, info: Info, hashes: PieceHashes | None, fetcher: Fetcher,
        clock: Callable[[], float], threads: Threads,
    ) -> None:
        self._owner = owner
        self._info = info
        self._geometry: Geometry = info.geometry
        self._clock = clock
        self._threads = threads
        self._early = Early(info, hashes, fetcher)
        self._width = bitfield.width_of(self._geometry.piece_count)
        self._open: dict[Reader, None] = {}
        self._planned = float("-inf")
        self._begun: Content | None = None
        "What was planned for last."
        self._removed = False

    def __len__(self) -> int:
        return len(self._open)

    @property
    def waiting(self) -> bool:
        """A read waits."""
        return any(reader.pending is not None for reader in self._open)

    def open(self, file: int) -> Reader:
        """Raises UsageError where there is no such file, or too many readers."""
        if not 0 <= file < len(self._info.files) or self._info.files[file].pad:
            raise UsageError(f"there is no file {file}", code="not_found")
        if len(self._open) >= limits.READERS:
            raise UsageError(f"more than READERS = {limits.READERS} would read the torrent", code="too_many_readers")
        span = self._geometry.files[file]
        root = self._info.files[file].root
        v1 = self._info.hashes.v1
        tag = root.hex() if root is not None else f"{v1.hex() if v1 is not None else ''}-{file}"
        reader = Reader(self, file, span.offset, span.length, tag, self._clock())
        self._open[reader] = None
        return reader

    # -- ReaderOwner

    def moved(self, reader: Reader) -> None:
        self.plan(self._clock(), jumped=True)

    def closed(self, reader: Reader) -> None:
        self._open.pop(reader, None)
        self.plan(self._clock())

    async def take(self, start: int, limit: int) -> bytes:
        owner, geometry = self._owner, self._geometry
        piece, within = divmod(start, geometry.piece_length)
        content, holdings = owner.content, owner.holdings
        if self._removed:
            raise UsageError("the torrent was removed", code="not_found")
        if holdings is not None:
            have = content.picker.have if content is not None else holdings.journal.claimed
            if bitfield.has(have, piece, self._width):
                stop = self._run_of(have, start, start + limit)
                assumed = holdings.assumed & self._span(start, stop)
                if assumed:
                    await owner.prove(assumed)
                    return await self.take(start, limit) if holdings is owner.holdings else b""
                data = await self._threads.run(_load, holdings, start, stop - start)
                self._given(start)
                return data
            if content is not None:
                data = await self._take_early(content, holdings, piece, within, limit)
                if data:
                    self._given(start)
                    return data
        if owner.state is State.STOPPED:
            raise StorageError(owner.reason or "the torrent stopped", code=owner.code or "stopped")
        return b""

    async def _take_early(self, content: Content, holdings: Holdings, piece: int, within: int, limit: int) -> bytes:
        opened = content.picker.open.get(piece)
        if opened is None:
            return b""
        block, skip = divmod(within, BLOCK)
        found, false = self._early.good(opened, block, -(-(skip + limit) // BLOCK))
        if false:
            self._owner.false_blocks(piece, false)
        if isinstance(found, Kept):
            size = self._geometry.piece_size(piece)
            start = piece * self._geometry.piece_length
            data, false = await self._threads.run(found.load, holdings.storage, start, size)
            if false and content.picker.open.get(piece) is opened and opened.saved & false == false:
                self._owner.false_blocks(piece, false)
            return data[skip : skip + limit]
        return found[skip : skip + limit] if found else b""

    def ready(self, start: int, stop: int) -> int:
        content, holdings = self._owner.content, self._owner.holdings
        if holdings is None:
            return start
        have = content.picker.have if content is not None else holdings.journal.claimed
        return self._run_of(have, start, stop)

    def waits(self, address: int) -> tuple[int, str]:
        piece = address // self._geometry.piece_length
        state = self._owner.state
        if state is State.PAUSED:
            return piece, "the torrent is paused"
        if state is State.CHECKING:
            return piece, "the files are being checked"
        return piece, self._owner.why()

    def _given(self, start: int) -> None:
        now = self._clock()
        for reader in self._open:
            if reader.base + reader.position == start:
                reader.delivered(reader.position, now)

    def _run_of(self, have: int, start: int, stop: int) -> int:
        """Where the row of pieces that `start` lies in ends; `start` where that one is not had."""
        length = self._geometry.piece_length
        first, last = start // length, (stop - 1) // length
        gaps = self._span(start, stop) & ~have
        if not gaps:
            return stop
        gap = bitfield.first_from(gaps, first, self._width)
        return stop if gap > last else max(start, gap * length)

    def _span(self, start: int, stop: int) -> int:
        length = self._geometry.piece_length
        return bitfield.span(start // length, -(-stop // length), self._width)

    # -- news

    def piece_done(self, piece: int) -> None:
        self._early.done(piece)
        self.news()

    def leaves_found(self, found: Fetched) -> None:
        if self._early.found(found):
            self.news()

    def news(self) -> None:
        """Something came, or the torrent has another state: those who wait look again."""
        if self.waiting and self._owner.content is not None and self._begun is not self._owner.content:
            self.plan(self._clock(), jumped=True)
        for reader in list(self._open):
            if reader.pending is not None:
                reader.news()

    def removed(self) -> None:
        """The torrent is gone."""
        self._removed = True
        for reader in list(self._open):
            reader.news()

    # -- the plan

    def tick(self, now: float) -> None:
        """Every 50 ms while the torrent has peers."""
        if self._open and now - self._planned >= _PLAN_SECONDS:
            self.plan(now)

    def plan(self, now: float, *, jumped: bool = False) -> None:
        """Say what is to be fetched first. `jumped`: what was asked for before may be of no use now."""
        self._planned = now
        content = self._owner.content
        if content is None:
            return
        self._begun = content
        focus = self._focus(content, now)
        if focus == Focus() and content.picker.focus == Focus():
            return
        before = content.picker.focus
        content.picker.set_focus(focus)
        downloads = content.downloads
        downloads.watched = {piece: None for piece in focus.deadlines if self._early.has(piece)}
        downloads.on_watched = lambda _piece: self.news()
        elsewhere = jumped and not focus.deadlines.keys() <= before.deadlines.keys()
        if elsewhere:
            downloads.take_back(now)
        self._owner.ask_for_hashes()  # before blocks are: the answer would come behind them
        if elsewhere:
            downloads.hurry(now)
            self._owner.focused()

    def _focus(self, content: Content, now: float) -> Focus:
        needs: dict[int, list[tuple[float, int, int]]] = {}
        warm = 0
        for reader in self._open:
            warm |= self._plan_one(reader, content, now, needs)
        deadlines = {piece: min(parts)[0] for piece, parts in needs.items()}
        self._early.keep_only(deadlines)
        first: dict[int, int] = {}
        pressing: dict[int, int] = {}
        for piece in sorted(deadlines, key=deadlines.__getitem__):
            single = self._early.has(piece) or (
                deadlines[piece] <= now + _LEAF_SECONDS
                and self._early.want(piece, now, soon=deadlines[piece] <= now + _NOW_SECONDS))
            blocks, pressing[piece] = self._blocks(piece, needs[piece], single=single)
            if single:
                first[piece] = blocks
        rates: dict[int, float] = {}
        for reader in self._open:
            rates[reader.file] = max(reader.rate, rates.get(reader.file, 0.0))
        rate = sum(rates.values())
        return Focus(deadlines, first, pressing, warm, rate)

    def _plan_one(
        self, reader: Reader, content: Content, now: float, needs: dict[int, list[tuple[float, int, int]]],
    ) -> int:
        """Add what one reader needs soon: by piece, when it is due, from which byte of it on, and how many bytes from
        there are due at once. Returns the pieces it comes to after that.
        """
        pending = reader.pending
        head = reader.position if pending is None else pending
        if head >= reader.size:
            return 0
        second = reader.seconds(head)
        start = reader.due(head, now)
        late = 0.0
        if pending is not None and start > now + _HELD_SECONDS:
            late, start = start - now - _HELD_SECONDS, now + _HELD_SECONDS
        lead = max(now + _NOW_SECONDS - start, 0.0)
        soon = max(reader.offset(second + lead), head + (_LEAST_NOW * BLOCK if pending is not None and lead else 0))
        have, length = content.picker.have, self._geometry.piece_length
        at, picked = head, 0
        while at < reader.size and picked < limits.READ_AHEAD_PIECES:
            due = reader.due(at, now) - late
            if due > now + _HOT_SECONDS and at > head:
                break
            piece, within = divmod(reader.base + at, length)
            if not bitfield.has(have, piece, self._width):
                picked += 1
                needs.setdefault(piece, []).append((due, within, max(soon - at, 0)))
            at = (piece + 1) * length - reader.base
        end = min(reader.offset(second + _WARM_SECONDS), head + limits.READ_AHEAD_BYTES, reader.size)
        return self._span(reader.base + at, reader.base + end) & ~have if end > at else 0

    def _blocks(self, piece: int, parts: list[tuple[float, int, int]], *, single: bool) -> tuple[int, int]:
        """The blocks of a piece that are read, and those of them that are due at once. Where none can be verified
        `single`, all have to be here before one is of use.
        """
        blocks = -(-self._geometry.piece_size(piece) // BLOCK)
        every = (1 << blocks) - 1
        if not single:
            return every, every if any(soon for _, _, soon in parts) else 0
        first = pressing = 0
        for _, within, soon in parts:
            begin = within // BLOCK
            first |= every >> begin << begin
            stop = min(begin + -(-(within % BLOCK + soon) // BLOCK), blocks) if soon else begin
            pressing |= (1 << stop) - (1 << begin)
        return first, pressing


def _load(holdings: Holdings, start: int, size: int) -> bytes:
    data = bytearray(size)
    holdings.storage.read_into(start, [memoryview(data)])
    return bytes(data)
