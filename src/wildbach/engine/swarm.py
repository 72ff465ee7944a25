"""One torrent's peers and what they say: the flags of BEP 3, who has what, who is interested, who is served.

Blocks and requests, nearly all of the traffic, go straight to `Downloads` and `Uploads`. What a peer tells before the
torrent's metadata is known is kept and replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from wildbach.base import bitfield, limits
from wildbach.base.errors import RemoteError, WildbachError
from wildbach.base.geometry import BLOCK
from wildbach.base.ids import Endpoint
from wildbach.engine.assumed import Assumed
from wildbach.engine.choker import Candidate, Choker, SeedPolicy
from wildbach.engine.downloads import Downloads
from wildbach.engine.openpiece import OpenPiece
from wildbach.engine.peer import Parted, Peer, PeerOwner
from wildbach.engine.picker import Picker
from wildbach.engine.settings import Settings
from wildbach.engine.suggest import Suggestions
from wildbach.engine.superseed import SuperSeed
from wildbach.engine.uploads import Uploads
from wildbach.protocol.allowed_fast import allowed_fast
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.codec import Event
from wildbach.protocol.wire.handshake import Handshake

_EARLY: Final = 2000
"Messages kept from one peer before the metadata is known."
_KEEP_ALIVE_SECONDS: Final = 100.0
_DOZE_SECONDS: Final = 1.0
_ROUNDS_APART: Final = 0.05
"Seconds; many peers that come at once are decided on together."
_SERVED_TIMES: Final = 2
"How often a choked peer may have the pieces it is allowed (BEP 6)."
_SUGGESTED: Final = 16
"Suggestions of one peer that are remembered (BEP 6)."


class Content:
    """What exists once the metadata is known and the data was checked."""

    __slots__ = ("downloads", "picker", "uploads")

    def __init__(self, picker: Picker, downloads: Downloads, uploads: Uploads) -> None:
        self.picker = picker
        self.downloads = downloads
        self.uploads = uploads


def _noise(event: Event) -> int:
    """How much of a flood this would be part of, if it changes nothing. What is known to be new is not counted."""
    if isinstance(event, codec.Haves | codec.Reject):
        return 0  # they count it themselves
    if isinstance(event, codec.Extended):
        return 1 + (len(event.payload) >> 10)
    return 1


class SwarmOwner(Protocol):
    """What a swarm tells its torrent."""

    def peer_left(self, peer: Peer, error: Exception | None) -> None: ...

    def extended(self, peer: Peer, message: codec.Extended) -> None: ...

    def hash_message(self, peer: Peer, message: codec.HashMessage) -> None: ...

    def unchoked(self, peer: Peer) -> None:
        """It serves us from now on."""
        ...

    def dht_port(self, peer: Peer, port: int) -> None:
        """It says where its DHT node is (BEP 5)."""
        ...

    def bug(self, peer: Peer) -> None: ...


class Swarm:
    """The connected peers of one torrent."""

    def __init__(self, owner: SwarmOwner, settings: Callable[[], Settings], clock: Callable[[], float]) -> None:
        self._owner = owner
        self._settings = settings
        self._clock = clock
        self.peers: dict[int, Peer] = {}
        self.content: Content | None = None
        self.choker: Choker[int] = Choker(settings().peers.upload_slots)
        self.super_seed: SuperSeed[int] | None = None
        self.suggestions: Suggestions[int] | None = None
        self.assumed: Assumed | None = None
        self._early: dict[int, list[Event]] = {}
        self._news: list[int] = []
        "Pieces we have since the last `tell`."
        self._rechoke = False
        self._rounded = float("-inf")
        "When the choker was asked last."
        self.info_hash = b""
        self.keeps: Callable[[Peer], bool] = lambda peer: False
        "Whether a peer is of use though neither side has pieces for the other."

    # -- PeerOwner

    def greeted(self, peer: Peer, theirs: Handshake) -> PeerOwner | None:
        """A peer of this swarm was greeted before it came here."""
        return self

    def join(self, peer: Peer) -> None:
        """A peer that was greeted, and greeted back, belongs to this torrent from now on."""
        self.peers[peer.number] = peer
        if self.content is not None:
            self.content.downloads.peers[peer.number] = peer
            peer.expect_pieces(self.content.picker.count)
            self._say_what_we_have(peer, self.content)
        elif peer.fast:
            peer.send(codec.plain(codec.HAVE_NONE))

    def events(self, peer: Peer, events: list[Event]) -> None:
        now = self._clock()
        peer.last_in = now
        for event in events:
            content = self.content
            if content is None:
                peer.noise += _noise(event)
                self._before_content(peer, event)
            elif isinstance(event, codec.Blocks):
                content.downloads.blocks(peer, event.items, now)
            elif isinstance(event, codec.Requests):
                self._requests(peer, event.items, content, now)
            elif isinstance(event, codec.RequestRow):
                self._request_row(peer, event, content, now)
            else:
                peer.noise += _noise(event)
                self._other(peer, event, content, now)
            if peer.closing:
                return

    def _requests(self, peer: Peer, items: list[tuple[int, int, int]], content: Content, now: float) -> None:
        peer.last_asked = now
        seeding = self.super_seed
        if seeding is not None:
            allowed = [item for item in items if seeding.allowed(peer.number, item[0])]
            if len(allowed) != len(items) and peer.fast:
                for item in items:
                    if item not in allowed:
                        peer.send(codec.reject(*item))
            items = allowed
        if self.assumed is not None:
            items = self.assumed.sift(peer, items)
        content.uploads.requests(peer, items)
        self._asked(peer, [item[0] for item in items], content)

    def _request_row(self, peer: Peer, row: codec.RequestRow, content: Content, now: float) -> None:
        if self.super_seed is not None or self.assumed is not None:
            offsets = range(row.offset, row.offset + row.count * BLOCK, BLOCK)
            self._requests(peer, [(row.piece, offset, BLOCK) for offset in offsets], content, now)
            return
        peer.last_asked = now
        content.uploads.row(peer, row.piece, row.offset, row.count)
        self._asked(peer, (row.piece,), content)

    def _asked(self, peer: Peer, pieces: Iterable[int], content: Content) -> None:
        if (
            self.suggestions is not None and self.suggestions.open(peer.number)
            and self.suggestions.asked(peer.number, pieces) and not peer.am_choking
        ):
            self._suggest(peer, content)

    def _suggest(self, peer: Peer, content: Content) -> None:
        """We seed: tell a peer what to take, so that what only we have leaves once."""
        if self.suggestions is None or not peer.fast:
            return
        picker = content.picker
        pieces = self.suggestions.more(peer.number, picker.full & ~picker.availability.somebody())
        if pieces and not peer.closing:
            peer.send(b"".join([codec.suggest(piece) for piece in pieces]))

    def bug(self, peer: Peer) -> None:
        self._owner.bug(peer)

    def drained(self, peer: Peer) -> None:
        if self.content is not None and not peer.closing:
            self.content.uploads.drained(peer)

    def ended(self, peer: Peer, error: Exception | None) -> None:
        if self.peers.pop(peer.number, None) is None:
            self._owner.peer_left(peer, error)
            return
        self._early.pop(peer.number, None)
        content = self.content
        if content is not None:
            content.downloads.release(peer, late=False)
            content.downloads.peers.pop(peer.number, None)
            content.uploads.gone(peer)
            self._uncount(peer, content.picker)
        if self.super_seed is not None:
            self.super_seed.on_peer_gone(peer.number)
        if self.suggestions is not None:
            self.suggestions.gone(peer.number)
        if not peer.am_choking:
            self.rechoke()
        self._owner.peer_left(peer, error)

    # -- messages

    def _before_content(self, peer: Peer, event: Event) -> None:
        if isinstance(event, codec.Extended):
            self._owner.extended(peer, event)
        elif isinstance(event, codec.HashMessage):
            self._owner.hash_message(peer, event)
        elif isinstance(event, codec.Port):
            self._owner.dht_port(peer, event.port)
        elif isinstance(event, codec.Blocks | codec.Requests | codec.RequestRow):
            raise RemoteError("talks of blocks before anybody knows of pieces")
        elif not isinstance(event, codec.KeepAlive):
            kept = self._early.setdefault(peer.number, [])
            if len(kept) >= _EARLY:
                raise RemoteError("too many messages before the metadata is known")
            kept.append(event)

    def _other(self, peer: Peer, event: Event, content: Content, now: float) -> None:
        match event:
            case codec.Haves(items):
                self._haves(peer, items, content)
            case codec.Choke():
                peer.choked = True
                content.downloads.release(peer, late=True)
            case codec.Unchoke():
                peer.choked = False
                self._owner.unchoked(peer)
                content.downloads.fill(peer, now)
            case codec.Interested():
                if not peer.interested:
                    peer.interested = True
                    self.rechoke()
                    if now - self._rounded >= _ROUNDS_APART:
                        self.choke_round(now)  # where a slot is free nobody waits for the clock
            case codec.NotInterested():
                if peer.interested:
                    peer.interested = False
                    self.rechoke()
            case codec.Bitfield(raw):
                self._count(peer, bitfield.from_wire(raw, content.picker.count), content)
            case codec.HaveAll():
                self._count(peer, content.picker.full, content)
            case codec.HaveNone():
                self._count(peer, 0, content)
            case codec.Cancel(piece, offset, length):
                if self.assumed is None or not self.assumed.cancel(peer, (piece, offset, length)):
                    content.uploads.cancel(peer, piece, offset, length)
                elif peer.fast:
                    peer.send(codec.reject(piece, offset, length))
            case codec.Reject(piece, offset, _):
                content.downloads.rejected(peer, piece, offset, now)
            case codec.AllowedFast(piece):
                if piece < content.picker.count and len(peer.allowed_in) < 100 and piece not in peer.allowed_in:
                    peer.allowed_in.append(piece)
                    content.downloads.fill(peer, now)
            case codec.Suggest(piece):
                if piece < content.picker.count and piece not in peer.suggested:
                    peer.suggested.append(piece)
                    if len(peer.suggested) > _SUGGESTED:
                        del peer.suggested[0]
            case codec.Extended():
                self._owner.extended(peer, event)
            case codec.HashMessage():
                self._owner.hash_message(peer, event)
            case codec.Port(port):
                self._owner.dht_port(peer, port)
            case _:
                pass  # a keep-alive changes nothing here

    def _haves(self, peer: Peer, items: list[int], content: Content) -> None:
        picker = content.picker
        fresh = 0
        wanted = False
        for piece in items:
            if piece >= picker.count:
                raise RemoteError("has a piece that does not exist", piece=piece)
            if bitfield.has(peer.have, piece, picker.width):
                continue
            mark = bitfield.bit(piece, picker.width)
            fresh += 1
            peer.have |= mark
            peer.haves = True
            picker.availability.have(piece)
            wanted = wanted or bool(picker.wanted & mark & ~picker.have)
            if self.super_seed is not None:
                self.super_seed.on_have(peer.number, piece)
        peer.noise += len(items) - fresh
        if not fresh:
            return
        if peer.have == picker.full and not peer.seed:
            self._uncount(peer, picker)
            self._count(peer, picker.full, content, again=True)
        elif wanted:
            if not peer.am_interested:
                self._set_interest(peer, True)
            elif peer.owed.blocks == 0:
                content.downloads.fill(peer, self._clock())
        if self.super_seed is not None:
            self._offer()

    def dont_have(self, peer: Peer, piece: int) -> None:
        """BEP 54: the peer lost a piece."""
        content = self.content
        if content is None or not bitfield.has(peer.have, piece, content.picker.width):
            return
        have = peer.have & ~bitfield.bit(piece, content.picker.width)
        self._uncount(peer, content.picker)
        self._count(peer, have, content, again=True)

    def _count(self, peer: Peer, have: int, content: Content, *, again: bool = False) -> None:
        """A peer's whole set of pieces is here."""
        picker = content.picker
        if peer.haves and not again:
            self._uncount(peer, picker)
        peer.have = have
        peer.haves = True
        peer.seed = have == picker.full
        if peer.seed:
            picker.availability.add_seed()
        elif have:
            picker.availability.add(have)
        if self.super_seed is not None:
            self.super_seed.on_peer(peer.number, have)
            self._offer()
        self._set_interest(peer, picker.interesting(have))
        if self._redundant(peer):
            peer.close(Parted("both sides have all they want"))

    def _uncount(self, peer: Peer, picker: Picker) -> None:
        if peer.seed:
            picker.availability.remove_seed()
        elif peer.haves and peer.have:
            picker.availability.remove(peer.have)
        peer.have, peer.haves, peer.seed = 0, False, False

    # -- paying

    def open_pieces(self) -> Mapping[int, OpenPiece]:
        """The pieces on their way."""
        return self.content.picker.open if self.content is not None else {}

    def ask_again(self, peer: Peer) -> None:
        """It may be asked for more than before."""
        if self.content is not None and not peer.closing:
            self.content.downloads.fill(peer, self._clock())

    # -- interest

    def _set_interest(self, peer: Peer, interested: bool) -> None:
        if interested == peer.am_interested:
            if interested and not peer.choked and self.content is not None:
                self.content.downloads.fill(peer, self._clock())
            return
        peer.am_interested = interested
        peer.send(codec.plain(codec.INTERESTED if interested else codec.NOT_INTERESTED))
        if interested and self.content is not None:
            self.content.downloads.fill(peer, self._clock())

    def review_interest(self) -> None:
        """What is wanted changed, or pieces came: tell those who have nothing for us any more, and the reverse."""
        content = self.content
        if content is None:
            return
        for peer in list(self.peers.values()):
            if peer.closing:
                continue
            self._set_interest(peer, content.downloads.running and content.picker.interesting(peer.have))
        self.review_use()

    def review_use(self) -> None:
        """Let go of those who are of no use."""
        for peer in list(self.peers.values()):
            if not peer.closing and self._redundant(peer):
                peer.close(Parted("both sides have all they want"))

    def _redundant(self, peer: Peer) -> bool:
        """Neither side can give the other anything: seeds do not keep each other."""
        content = self.content
        if content is None or not self._settings().peers.close_redundant or content.picker.missing:
            return False
        if peer.bargain is not None and peer.bargain.unsettled:
            return False
        return (peer.seed or peer.upload_only) and not self.keeps(peer)

    # -- having

    def _say_what_we_have(self, peer: Peer, content: Content) -> None:
        picker = content.picker
        if self.super_seed is not None:
            if peer.fast:
                peer.send(codec.plain(codec.HAVE_NONE))
            self.super_seed.on_peer(peer.number)
            self._offer()
        elif peer.fast and picker.have == picker.full:
            peer.send(codec.plain(codec.HAVE_ALL))
        elif picker.have:
            peer.send(codec.bitfield(bitfield.to_wire(picker.have, picker.count)))
        elif peer.fast:
            peer.send(codec.plain(codec.HAVE_NONE))
        if peer.fast and picker.have and self.super_seed is None:
            peer.allowed_out = list(allowed_fast(peer.remote.host, peer.info_hash, picker.count))
            blocks = -(-picker.geometry.piece_length // BLOCK)
            peer.allowance = _SERVED_TIMES * blocks * len(peer.allowed_out)
            peer.send(b"".join([codec.allowed_fast(piece) for piece in peer.allowed_out]))

    def _offer(self) -> None:
        if self.super_seed is not None:
            for number, piece in self.super_seed.offers():
                self.peers[number].send(codec.have(piece))

    def end_super_seed(self) -> None:
        """Every piece is out: from now on we are a seed like any other."""
        self.super_seed = None
        if self.content is not None:
            message = codec.haves(bitfield.indices(self.content.picker.have, self.content.picker.width))
            for peer in list(self.peers.values()):
                if not peer.closing and not peer.seed:
                    peer.send(message)

    def have(self, piece: int) -> None:
        """A piece is ours; peers are told at the next `tell`."""
        self._news.append(piece)

    @property
    def news(self) -> bool:
        return bool(self._news)

    def tell(self) -> None:
        """Announce new pieces in one write each; seeds excepted. Those who have them are told too: a super-seed sees
        from it that what it gave was passed on (BEP 16).
        """
        content = self.content
        pieces, self._news = self._news, []
        if content is None or not pieces or self.super_seed is not None:
            return
        message = codec.haves(pieces)
        for peer in list(self.peers.values()):
            if not peer.closing and not peer.seed:
                peer.send(message)

    def start(self, content: Content) -> None:
        """The content is known and checked: take in what peers said before, and begin."""
        self.content = content
        early, self._early = self._early, {}
        for peer in list(self.peers.values()):
            content.downloads.peers[peer.number] = peer
            peer.expect_pieces(content.picker.count)
            if self.super_seed is not None:
                self.super_seed.on_peer(peer.number)
            elif content.picker.have:
                # A bitfield may only be the first message, and that time is over.
                peer.send(codec.haves(bitfield.indices(content.picker.have, content.picker.width)))
            try:
                for event in early.get(peer.number, ()):
                    self._other(peer, event, content, self._clock())
            except WildbachError as error:
                peer.close(error)
        self._offer()
        self.rechoke()

    def stop(self) -> None:
        """The content is gone for now (recheck, error): all peers go, as what we have may change."""
        self.content = None
        self.super_seed = None
        self.assumed = None
        for peer in self.peers.values():
            # The counts they stand in go with the content.
            peer.have, peer.haves, peer.seed = 0, False, False
        self._news = []

    def close_all(self, error: Exception) -> None:
        for peer in list(self.peers.values()):
            peer.close(error)

    # -- choking

    def rechoke(self) -> None:
        """Decide soon who is served: slots may be free."""
        self._rechoke = True

    def choke_round(self, now: float) -> None:
        """Called about every 50 ms while there are peers; costs nothing unless something changed or a round is due."""
        if not (self._rechoke or self.choker.due(now)) or self.content is None:
            return
        self._rechoke = False
        self._rounded = now
        picker = self.content.picker
        settings = self._settings().peers
        self.choker.slots = settings.upload_slots if self.content.uploads.running else 0
        self.choker.slot_rate = settings.slot_rate
        self.choker.seed_policy = SeedPolicy(settings.seed_choking)
        peers = [peer for peer in self.peers.values() if not peer.closing]
        settled = not self.choker.due(now)
        candidates = [
            Candidate(
                peer.number, peer.interested and not (settled and self._dozes(peer, now)), not peer.am_choking,
                peer.down.rate(now), peer.up.rate(now), peer.created,
                peer.last_unchoked if peer.last_unchoked >= 0 else peer.created, peer.up.total - peer.sent_before,
                peer.waiting_since if peer.owed.blocks else None,
                peer.have.bit_count() / max(1, picker.count), peer.upload_only or peer.seed,
            )
            for peer in peers
        ]
        decision = self.choker.decide(candidates, now, seeding=not picker.missing)
        if self.suggestions is None and picker.have == picker.full and self.super_seed is None:
            self.suggestions = Suggestions(picker.count, picker.rng)
        for number in decision.choke:
            peer = self.peers[number]
            peer.am_choking = True
            peer.optimistic = False
            peer.last_unchoked = now
            peer.send(codec.plain(codec.CHOKE))
            self.content.uploads.choke(peer)
        for number in decision.unchoke:
            peer = self.peers[number]
            peer.am_choking = False
            peer.last_unchoked = now
            peer.sent_before = peer.up.total
            peer.send(codec.plain(codec.UNCHOKE))
        for peer in peers:
            peer.optimistic = peer.number == decision.optimistic
            if self.suggestions is not None and peer.interested and not peer.am_choking:
                self._suggest(peer, self.content)

    def _dozes(self, peer: Peer, now: float) -> bool:
        """It is served and asks for nothing just now: until it does, somebody else may have its turn."""
        return (
            not peer.am_choking and not peer.uploads and not peer.connection.queued
            and now - peer.last_asked > _DOZE_SECONDS and now - peer.last_unchoked > _DOZE_SECONDS
        )

    def _share_slots(self, now: float) -> None:
        """Serve those who wait in place of those who doze."""
        waits = dozes = False
        for peer in self.peers.values():
            if peer.interested:
                if peer.am_choking:
                    waits = True
                elif self._dozes(peer, now):
                    dozes = True
        if waits and dozes:
            self._rechoke = True

    # -- time

    def tick(self, now: float) -> None:
        """Once a second."""
        self._share_slots(now)
        if self.super_seed is not None and self.super_seed.done:
            self.end_super_seed()
        for peer in list(self.peers.values()):
            if now - peer.last_in > limits.PEER_TIMEOUT_SECONDS:
                peer.close(RemoteError("silent for two minutes"))
                continue
            peer.noise = max(0, peer.noise - limits.NOISE_PER_SECOND)
            if peer.connection.queued == 0 and now - peer.last_out > _KEEP_ALIVE_SECONDS:
                peer.last_out = now
                peer.send(codec.KEEP_ALIVE)
        if self.content is not None:
            self.content.downloads.tick(now)
            self.content.uploads.tick(self.peers.values(), now)

    def endpoints(self) -> Iterable[Endpoint]:
        return [peer.remote for peer in self.peers.values()]
