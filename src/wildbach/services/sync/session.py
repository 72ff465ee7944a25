"""One connection with another device, for all folders that both have.

Each side proves which folders it has (`protocol.sync.proofs`); only those that both proved exist on it. What is said of
a folder goes to that folder. Who proved the secrets of an epoch before, or is on no roster that is known here, is told
of rosters and of nothing else, until that is over. Small files come in bundles, each on a channel of its own; large
ones on channels that the engine speaks on (`engine.contents`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, NetworkError, RemoteError, WildbachError
from wildbach.base.ids import DeviceId, Endpoint, FolderId
from wildbach.base.rate import RateMeter
from wildbach.net.meeting import Met
from wildbach.net.mux import Channel, Mux
from wildbach.net.relay import RelayedConnection
from wildbach.protocol import bencode
from wildbach.protocol.metainfo.fields import take_bytes, take_int
from wildbach.protocol.sync import messages, proofs
from wildbach.protocol.sync.listpages import Page
from wildbach.protocol.sync.messages import (
    Ack,
    Bundle,
    Bundled,
    Bye,
    Entries,
    Hello,
    Index,
    Message,
    PageSent,
    PageWanted,
    RosterHeads,
    Rosters,
    RosterWanted,
    Status,
    Whereabouts,
)
from wildbach.runtime.tasks import Scope
from wildbach.services.sync.patience import Patience, cost_of

_log = logging.getLogger(__name__)

BUNDLE: Final = b"bundle"
CONTENT: Final = b"content"
_ABOUT_FOLDER: Final = (RosterHeads, RosterWanted, Rosters, Index, Entries, Ack, Whereabouts, Status)
_BUSY: Final = 256 * 1024
"With so many bytes of messages waiting nothing more is asked of the folders."
_ASKED: Final = 4
"Bundles that are asked for on one channel before the first has come."
_SERVED: Final = 4
"Channels for bundles that the other side has open for one folder; it needs one."
_UNHEARD: Final = 64
"Messages about folders that wait to be taken in: with more, no others are read from the connection."

_OF_ROSTERS: Final = (RosterHeads, RosterWanted, Rosters)
_LATER: Final = (Index, Status)
"What is heard from who is told of rosters alone, and counts as soon as the folder is there: it is not said again."

NOBODY: Final = DeviceId(bytes(DeviceId.SIZE))
"In the place of a device that is on no roster."

FolderMessage = RosterHeads | RosterWanted | Rosters | Index | Entries | Ack | Whereabouts | Status


@dataclass(frozen=True, slots=True)
class Offer:
    """A folder that this device can prove to have. Keys of 32 bytes, of its secrets in one epoch."""

    folder: FolderId
    commit: bytes
    "The name of the secrets."
    finds: bytes
    reads: bytes
    "Of who may read; empty for a device that only stores."
    holds: bool = True
    "They are the secrets that hold. By those of before a device is met that was away, to be told of rosters."


class Ear(Protocol):
    """Who is talked to on a link. All calls are made on the loop, and none of them waits."""

    def met(self, link: Link) -> None:
        """Somebody is connected."""
        ...

    def parted(self, link: Link) -> None: ...

    def heard(self, link: Link, message: FolderMessage) -> None:
        """Raises RemoteError where the other side broke a rule."""
        ...

    def drained(self, link: Link) -> None:
        """What was said has left: there is room for more."""
        ...


class Port(Ear, Protocol):
    """A folder, as a session sees it; `met` is for a member that proved the secrets that hold."""

    def member(self, exchange: bytes) -> DeviceId | None:
        """Whom the roster lists with this X25519 key, where it may read."""
        ...

    @property
    def lobby(self) -> Ear:
        """For all others who proved some secrets of it: nothing but rosters is to be had there."""
        ...

    async def bundle(self, files: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """Content by root and size; empty for what is not here."""
        ...

    async def page(self, root: bytes, count: int, number: int) -> Page:
        """Of the list of `count` hashes with that root; empty where it is not here."""
        ...

    def content(self, link: Link, root: bytes, size: int, channel: Channel) -> bool:
        """The other side wants to speak of a content on this channel."""
        ...


class Hub(Protocol):
    """All folders of this device."""

    @property
    def name(self) -> str: ...

    def offers(self) -> Iterable[Offer]: ...

    def port(self, folder: FolderId) -> Port | None: ...

    def listed(self, exchange: bytes) -> bool:
        """Does a roster of any folder list a device with this X25519 key?"""
        ...

    def ended(self, session: Session, error: Exception | None) -> None: ...

    def chance(self, count: int) -> bytes:
        """Random bytes."""
        ...


@dataclass(eq=False, slots=True)
class Link:
    """A folder on a session: what is said through it is about that folder."""

    session: Session
    port: Port
    folder: FolderId
    device: DeviceId
    tag: bytes
    commit: bytes = b""
    "The name of the secrets that the other device proved."
    whole: bool = True
    "The other device is a member and has the secrets that hold; else rosters alone are spoken of."
    first: bool = True
    """Of the newest secrets of the folder that both have. By others the other side may speak of rosters: which are the
    newest is not the same to it where it knows of other rosters.
    """
    kept: dict[type[FolderMessage], FolderMessage] = field(default_factory=dict)
    "What was said too early."
    channels: list[Channel] = field(default_factory=list)
    "That are open for it."
    bundling: list[Serving] = field(default_factory=list)
    "What it asks for."

    @property
    def ear(self) -> Ear:
        return self.port if self.whole else self.port.lobby

    def heard(self, message: FolderMessage) -> None:
        if self.whole or isinstance(message, _OF_ROSTERS):
            self.ear.heard(self, message)
        elif isinstance(message, _LATER):
            self.kept[type(message)] = message

    def takes(self, message: Message | None) -> bool:
        """What is said here is not just passed over."""
        return self.whole or isinstance(message, _OF_ROSTERS)

    def keep(self, channel: Channel) -> Channel:
        """It is closed where the folder is not the other device's any more."""
        self.channels = [each for each in self.channels if not each.closing]
        self.channels.append(channel)
        return channel

    def better(self, other: Link) -> bool:
        """Of two with the same device this one stays."""
        return not self.session.over and self.session.rank < other.session.rank

    def say(self, message: FolderMessage) -> None:
        self.session.say(message)

    @property
    def busy(self) -> bool:
        """Much is still waiting to leave."""
        return self.session.queued >= _BUSY

    async def bundle(self, files: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """Whole small files by root and size, not checked; empty for one that the other side has not.

        Raises NetworkError, RemoteError.
        """
        return await self.session.bundles(self).ask(files)

    async def page(self, root: bytes, count: int, number: int) -> Page:
        """Of a list, not checked; empty where the other side has it not. Raises NetworkError, RemoteError."""
        return await self.session.bundles(self).page(root, count, number)

    def content(self, root: bytes, size: int) -> Channel:
        """A channel on which both speak of a content. Raises NetworkError, LimitError."""
        return self.keep(
            self.session.open(bencode.encode({b"t": CONTENT, b"f": self.tag, b"r": root, b"s": size})))


def is_relayed(kind: str) -> bool:
    """Does a connection of this kind (`Connection.kind`) go by a relay?"""
    return kind.partition("+")[0] == RelayedConnection.kind


def rank_of(met: Met[Any], *, first: bool) -> tuple[bool, bool, bytes]:
    """Of several sessions of the same two devices that one stays which has the least: one that goes by no relay, then
    one that the device with the smaller key began. Both see the same ranks, in whatever order the connections came.
    """
    return is_relayed(met.connection.kind), not first, met.opened.hash


class Session:
    """See above. A `net.mux.MuxOwner`."""

    def __init__(
        self, met: Met[Any], hub: Hub, scope: Scope, report: Callable[[Exception], None], *, first: bool = False,
    ) -> None:
        """`first`: the device with the smaller key called."""
        self.exchange = met.opened.device
        "The other device's X25519 key."
        self.initiator = met.opened.initiator
        self.name = ""
        "What the other device calls itself."
        self.client = ""
        self.links: dict[bytes, Link] = {}
        "By tag."
        self.error: Exception | None = None
        self._hash = met.opened.hash
        self.rank = rank_of(met, first=first)
        self._probed = False
        self._hub = hub
        self._scope = scope
        self._report = report
        self._bundles: dict[bytes, Asking] = {}
        self._theirs: frozenset[bytes] | None = None
        self._proved: set[bytes] = set()
        "Keys of offers."
        self._named = False
        "The other side was told what this device calls itself."
        self._over = False
        self._leaving = False
        self._unheard = 0
        self._loop = asyncio.get_running_loop()
        self._patience = Patience(self._loop.time())
        self._slowed: asyncio.TimerHandle | None = None
        "Nothing is read until then: the other side says too much."
        self._noisy = False
        self._mux = Mux(met.connection, met.opened.initiator, self)
        self._greet()

    # -- what it is

    @property
    def remote(self) -> Endpoint:
        return self._mux.connection.remote

    @property
    def way(self) -> str:
        """How the other device is reached: `tcp`, `utp`, ..."""
        return self._mux.connection.kind.partition("+")[0]

    @property
    def relayed(self) -> bool:
        """It goes by a relay: a direct one takes its place."""
        return is_relayed(self._mux.connection.kind)

    @property
    def queued(self) -> int:
        return self._mux.queued

    @property
    def down(self) -> RateMeter:
        return self._mux.down

    @property
    def up(self) -> RateMeter:
        return self._mux.up

    @property
    def over(self) -> bool:
        """It has ended, or said that it will: it is nothing to build on."""
        return self._over or self._leaving

    @property
    def probed(self) -> bool:
        return self._probed

    async def answers(self) -> bool:
        """Is the other device still there?"""
        self._probed = True
        try:
            return not self.over and await self._mux.answers(limits.SYNC_PROBE_SECONDS) and not self.over
        finally:
            self._probed = False

    @property
    def greeted(self) -> bool:
        """The other side has said which folders it has."""
        return self._theirs is not None

    # -- saying

    def _greet(self) -> None:
        """Prove all folders; also anew, when there are more."""
        found: list[bytes] = []
        for offer in self._hub.offers():
            self._proved.add(offer.finds)
            found.append(proofs.proof(offer.finds, self._hash, initiator=self.initiator))
            if offer.reads:
                found.append(proofs.proof(offer.reads, self._hash, initiator=self.initiator))
        # A device that was taken out of the folder is told by nobody who is there now.
        self._named = self._hub.listed(self.exchange)
        self._send(Hello(
            proofs.padded(found, self._hub.chance)[: limits.SYNC_PROOFS], self._hub.name if self._named else "",
            "wildbach"))

    def renew(self) -> None:
        """There is a folder more, or another epoch of one, or another roster."""
        if self.over:
            return
        if any(offer.finds not in self._proved for offer in self._hub.offers()) or (
                not self._named and self._hub.listed(self.exchange)):
            self._greet()
        self._match()

    def say(self, message: FolderMessage) -> None:
        self._send(message)

    def _send(self, message: Message) -> None:
        if not self._over:
            self._mux.send(messages.encode(message))

    def waits(self) -> None:
        """A folder has a message that it takes in later; then it says `taken`."""
        self._unheard += 1
        if self._unheard >= _UNHEARD:
            self._mux.hold()

    def taken(self) -> None:
        self._unheard -= 1
        if self._unheard <= _UNHEARD // 2 and self._slowed is None:
            self._mux.go_on()

    def _slow(self, seconds: float) -> None:
        """Read nothing more for so long."""
        self._note_noise()
        if self._slowed is None:
            self._mux.hold()
            self._slowed = self._loop.call_later(seconds, self._read_again)

    def _read_again(self) -> None:
        self._slowed = None
        if self._unheard < _UNHEARD:
            self._mux.go_on()

    def _note_noise(self) -> None:
        if not self._noisy:
            self._noisy = True
            _log.warning("%s says more than it should, and is read more slowly", self.remote)

    def bye(self, code: str) -> None:
        """Say why the connection ends; it does when that has left."""
        if self.over:
            return
        self._send(Bye(code))
        self._leaving = True

    def close(self, error: Exception | None = None) -> None:
        self._leaving = True
        self._mux.close(error)

    # -- MuxOwner

    def message(self, payload: bytes) -> None:
        said = messages.decode(payload)
        link = self.links.get(said.tag) if isinstance(said, _ABOUT_FOLDER) else None
        cost = cost_of(said, len(payload), known=link is not None and link.takes(said))
        if cost and (seconds := self._patience.said(cost, self._loop.time())):
            self._slow(seconds)
        if isinstance(said, Hello):
            self.name, self.client = said.name, said.client
            self._theirs = frozenset(said.proofs) | (self._theirs or frozenset())
            if len(self._theirs) > 4 * limits.SYNC_PROOFS:
                raise LimitError("proves more folders than there can be")
            self._match()
        elif isinstance(said, Bye):
            self.close(NetworkError(f"the other device ended the connection: {said.code}", code="bye"))
        elif isinstance(said, _ABOUT_FOLDER):
            if isinstance(said, Whereabouts):
                said = self._fewer(said)
            # What is said of a folder that we left, or that the other side may not speak of, is passed over.
            if link is not None:
                link.heard(said)
        elif said is not None:
            raise FormatError("a message that belongs on another channel", where="control")

    def _fewer(self, said: Whereabouts) -> Whereabouts:
        """As many records as may be looked at: each of them is a signature."""
        taken = self._patience.records(len(said.records), self._loop.time())
        if taken < len(said.records):
            self._note_noise()
        return replace(said, records=said.records[:taken])

    def _match(self) -> None:
        """Which folders both have, as they stand now."""
        if self._theirs is None or self._leaving:
            return
        there: dict[bytes, Link] = {}
        folders: set[FolderId] = set()
        for offer in self._hub.offers():
            port = self._hub.port(offer.folder)
            if port is None or not self._proves(offer):
                continue
            device = port.member(self.exchange)
            tag = proofs.tag(offer.finds, self._hash)
            there[tag] = Link(
                self, port, offer.folder, device or NOBODY, tag, offer.commit,
                whole=offer.holds and device is not None, first=offer.folder not in folders)
            folders.add(offer.folder)
        for tag, link in there.items():
            before = self.links.get(tag)
            if before is not None and before.ear is link.ear and before.first is link.first:
                continue
            if before is not None:
                self._part(before)
            self.links[tag] = link
            link.ear.met(link)
            for said in before.kept.values() if before is not None else ():
                link.heard(said)
        for tag in [tag for tag in self.links if tag not in there]:
            self._part(self.links.pop(tag))

    def _proves(self, offer: Offer) -> bool:
        """Has the other side these secrets?"""
        return self._theirs is not None and all(
            proofs.proof(key, self._hash, initiator=not self.initiator) in self._theirs
            for key in (offer.reads, offer.finds) if key)

    def _part(self, link: Link) -> None:
        asking = self._bundles.pop(link.tag, None)
        if asking is not None:
            asking.close()
        link.ear.parted(link)
        # Who was taken out of the folder while something was sent gets nothing more of it.
        for channel in link.channels:
            channel.close()
        link.channels.clear()

    def opened(self, channel: Channel, request: bytes) -> bool:
        wanted = bencode.decode(request, depth=2, tokens=16)
        if not isinstance(wanted, dict):
            raise FormatError("asks for a channel that is none", where="open")
        kind = take_bytes(wanted, b"t", "open")
        link = self.links.get(take_bytes(wanted, b"f", "open"))
        if link is None or not link.whole:
            return False
        if kind == BUNDLE:
            link.bundling = [each for each in link.bundling if not each.over]
            if len(link.bundling) >= _SERVED:
                return False
            link.bundling.append(Serving(link.keep(channel), link, self._scope, self._report))
            return True
        if kind == CONTENT:
            root, size = take_bytes(wanted, b"r", "open"), take_int(wanted, b"s", "open")
            if len(root) != 32 or not 0 < size <= limits.SYNC_FILE_BYTES:
                raise FormatError("names no content", where="open")
            return link.port.content(link, root, size, link.keep(channel))
        return False

    def drained(self) -> None:
        if self._leaving:
            self.close()
            return
        for link in list(self.links.values()):
            link.ear.drained(link)

    def closed(self, error: Exception | None) -> None:
        self._over = True
        self.error = error
        if self._slowed is not None:
            self._slowed.cancel()
        links, self.links = list(self.links.values()), {}
        for link in links:
            self._part(link)
        self._hub.ended(self, error)

    # -- channels

    def open(self, request: bytes) -> Channel:
        return self._mux.open(request)

    def bundles(self, link: Link) -> Asking:
        found = self._bundles.get(link.tag)
        if found is None or found.over:
            found = self._bundles[link.tag] = Asking(
                self.open(bencode.encode({b"t": BUNDLE, b"f": link.tag})))
        return found


class _Framed:
    """Whole messages on a channel, each behind four bytes of length."""

    def __init__(self, channel: Channel) -> None:
        self.over = False
        self.missing = 0
        self._channel = channel
        channel.start(self)

    def received(self, data: memoryview) -> int:
        used = 0
        while len(data) - used >= 4:
            size = int.from_bytes(data[used : used + 4], "big")
            if size > limits.SYNC_MESSAGE_BYTES:
                raise LimitError(f"a message is longer than SYNC_MESSAGE_BYTES = {limits.SYNC_MESSAGE_BYTES}")
            if len(data) - used - 4 < size:
                self.missing = size + 4 - (len(data) - used)
                return used
            self.got(messages.decode(bytes(data[used + 4 : used + 4 + size])))
            used += 4 + size
        self.missing = 0
        return used

    def send(self, message: Message) -> None:
        raw = messages.encode(message)
        self._channel.send(len(raw).to_bytes(4, "big") + raw)

    def got(self, message: Message | None) -> None:
        raise NotImplementedError

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        self.over = True

    def close(self) -> None:
        self._channel.close()


def _answers(message: Bundle | PageSent, wanted: Bundled | PageWanted) -> bool:
    """Is it what was asked for, as far as its form goes?"""
    if isinstance(message, PageSent) or isinstance(wanted, PageWanted):
        return isinstance(message, PageSent) and isinstance(wanted, PageWanted)
    return len(message.files) == len(wanted.files) and not any(
        each and len(each) != size for each, (_, size) in zip(message.files, wanted.files, strict=True))


class Asking(_Framed):
    """This side asks for bundles, and for pages of lists."""

    def __init__(self, channel: Channel) -> None:
        self._waiting: dict[int, tuple[Bundled | PageWanted, asyncio.Future[Bundle | PageSent]]] = {}
        self._number = 0
        self._turn = asyncio.Semaphore(_ASKED)
        super().__init__(channel)

    async def ask(self, files: Sequence[tuple[bytes, int]], tag: bytes = bytes(messages.TAG_BYTES)) -> list[bytes]:
        """Raises NetworkError, also where the other side refuses the channel."""
        came = await self._asked(lambda number: Bundled(tag, number, tuple(files)))
        return list(came.files) if isinstance(came, Bundle) else []

    async def page(self, root: bytes, count: int, number: int, tag: bytes = bytes(messages.TAG_BYTES)) -> Page:
        """Raises NetworkError, as `ask`."""
        came = await self._asked(lambda asked: PageWanted(tag, asked, root, count, number))
        return Page(came.layer, came.content) if isinstance(came, PageSent) else Page(b"", b"")

    async def _asked(self, make: Callable[[int], Bundled | PageWanted]) -> Bundle | PageSent:
        async with self._turn:
            if self.over:
                raise NetworkError("the other side closed the channel")
            self._number += 1
            number, wanted = self._number, make(self._number)
            came: asyncio.Future[Bundle | PageSent] = asyncio.get_running_loop().create_future()
            self._waiting[number] = wanted, came
            self.send(wanted)
            try:
                return await came
            finally:
                self._waiting.pop(number, None)

    def got(self, message: Message | None) -> None:
        if not isinstance(message, Bundle | PageSent):
            raise FormatError("is no bundle", where="bundle")
        wanted, came = self._waiting.get(message.number, (None, None))
        if wanted is None or came is None:
            return
        if not _answers(message, wanted):
            raise RemoteError("a bundle of other files than were asked for")
        if not came.done():
            came.set_result(message)

    def closed(self, error: Exception | None) -> None:
        super().closed(error)
        for _, came in self._waiting.values():
            if not came.done():
                came.set_exception(
                    error if isinstance(error, WildbachError) else NetworkError("the channel was closed"))


class Serving(_Framed):
    """The other side asks for bundles. One is read at a time; while two wait the channel is not read."""

    def __init__(self, channel: Channel, link: Link, scope: Scope, report: Callable[[Exception], None]) -> None:
        self._link = link
        self._queue: list[Bundled | PageWanted] = []
        self._busy = False
        self._left = asyncio.Event()
        self._scope = scope
        self._report = report
        super().__init__(channel)

    def got(self, message: Message | None) -> None:
        if not isinstance(message, Bundled | PageWanted):
            raise FormatError("asks for no bundle", where="bundle")
        self._queue.append(message)
        if len(self._queue) >= 2 * _ASKED:
            raise LimitError("asks for more bundles than it waits for")
        if not self._busy:
            self._busy = True
            self._scope.spawn("bundle", self._serve(), contain=self._report)

    async def _serve(self) -> None:
        try:
            while self._queue and not self.over:
                wanted = self._queue.pop(0)
                self.send(await self._answer(wanted))
                await self._sent()
        finally:
            self._busy = False

    async def _answer(self, wanted: Bundled | PageWanted) -> Bundle | PageSent:
        port = self._link.port
        if isinstance(wanted, Bundled):
            return Bundle(wanted.number, tuple(await port.bundle(wanted.files)))
        page = await port.page(wanted.root, wanted.count, wanted.page)
        return PageSent(wanted.number, page.layer, page.content)

    async def _sent(self) -> None:
        """Until it has left, where it is much: what is read faster than it leaves fills the memory."""
        if not self.over and self._channel.queued > limits.SYNC_BUNDLE_BYTES:
            self._left.clear()
            await self._left.wait()

    def drained(self) -> None:
        self._left.set()

    def closed(self, error: Exception | None) -> None:
        super().closed(error)
        self._left.set()
