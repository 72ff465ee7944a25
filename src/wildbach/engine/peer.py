"""One connected peer: its stream, its flags, what it has and what it owes. It decides nothing.

A peer is a plain object fed by its connection; it has no task and no timer of its own. `PeerOwner` is what it needs
from the swarm it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wildbach.base import limits
from wildbach.base.errors import RemoteError, WildbachError
from wildbach.base.geometry import BLOCK
from wildbach.base.ids import Endpoint
from wildbach.base.rate import Pace, RateMeter
from wildbach.engine.choker import Standing
from wildbach.engine.openpiece import OpenPiece
from wildbach.engine.requests import Outstanding
from wildbach.engine.wanted import Wanted
from wildbach.net.transport import Connection
from wildbach.protocol.ext.handshake import Extension, ExtHandshake
from wildbach.protocol.wire import codec, handshake
from wildbach.protocol.wire.codec import Decoder, Event
from wildbach.protocol.wire.handshake import Handshake

AHEAD_FIRST = 192 << 10
"Bytes for a peer of unknown speed that may wait for the kernel."


class Parted(RemoteError):
    """We left a peer that did nothing wrong: others may want it."""


class PeerOwner(Protocol):
    def greeted(self, peer: Peer, theirs: Handshake) -> PeerOwner | None:
        """Their handshake is here. Returns who owns the peer from now on; None sends it away."""
        ...

    def bug(self, peer: Peer) -> None:
        """An exception that is not the peer's fault is passing through; the peer goes."""
        ...

    def events(self, peer: Peer, events: list[Event]) -> None: ...

    def drained(self, peer: Peer) -> None: ...

    def ended(self, peer: Peer, error: Exception | None) -> None: ...


class Bargain(Protocol):
    """What somebody buys from a peer, and sells it (`engine.paying`)."""

    @property
    def paying(self) -> bool:
        """What comes from it is paid for, so nothing is asked of it that another was asked for."""
        ...

    @property
    def most_unverified(self) -> int:
        """Bytes that may be asked for and on their way, or here and not verified, while it is paid."""
        ...

    @property
    def unverified(self) -> int:
        """Metered bytes that are here and not verified."""
        ...

    @property
    def price(self) -> int:
        """What it pays us, SUN a GiB."""
        ...

    @property
    def unsettled(self) -> bool:
        """The last voucher is on its way: two seeds do not part before it is here. Soon over."""
        ...

    def standing(self, now: float) -> Standing: ...

    def received(self, payload: bytes) -> None:
        """A message of its. Raises RemoteError for what is none."""
        ...

    def gave(self, size: int) -> None:
        """So many payload bytes of blocks have just been sent to it."""
        ...

    def verified(self, size: int) -> None:
        """So many metered bytes from it are right. May come after it left."""
        ...

    def tick(self, now: float) -> None:
        """Once a second."""
        ...

    def again(self) -> None:
        """The peer says its terms once more: it may buy again."""
        ...

    def over(self) -> None:
        """Nothing is bought or sold any more, and the connection stays: the peer is told. `left` follows."""
        ...

    def left(self) -> None:
        """The connection is gone, or it is over."""
        ...


class Waiting:
    """Owns a peer that has greeted and waits to be let in."""

    __slots__ = ("_gone",)

    def __init__(self, gone: Callable[[Peer], None]) -> None:
        self._gone = gone

    def greeted(self, peer: Peer, theirs: Handshake) -> PeerOwner | None:
        return self

    def events(self, peer: Peer, events: list[Event]) -> None:
        pass

    def drained(self, peer: Peer) -> None:
        pass

    def bug(self, peer: Peer) -> None:
        pass

    def ended(self, peer: Peer, error: Exception | None) -> None:
        self._gone(peer)


_GROWTH = 256
"Blocks a new peer's window may grow to before its speed is known."


class Peer:
    __slots__ = (
        "_decoder",
        "_held",
        "ahead",
        "allowance",
        "allowed_in",
        "allowed_out",
        "am_choking",
        "am_interested",
        "asked_at",
        "bad",
        "bargain",
        "begun",
        "choked",
        "clear_at",
        "client",
        "connection",
        "created",
        "down",
        "extension",
        "fast",
        "grown",
        "handed_over",
        "have",
        "haves",
        "info_hash",
        "interested",
        "last_asked",
        "last_in",
        "last_out",
        "last_piece",
        "last_unchoked",
        "late",
        "mine",
        "missing",
        "noise",
        "number",
        "odd_pieces",
        "optimistic",
        "outgoing",
        "owed",
        "owner",
        "pace",
        "paused",
        "peer_id",
        "proven",
        "rejects",
        "remote",
        "reqq",
        "rtt",
        "says",
        "seed",
        "sent_before",
        "shipped",
        "snubbed",
        "source",
        "suggested",
        "suspect",
        "up",
        "up_before",
        "upload_only",
        "uploads",
        "v2",
        "v2_able",
        "waiting_since",
        "web",
    )

    def __init__(
        self, number: int, connection: Connection, owner: PeerOwner, *, outgoing: bool, now: float,
        begun: float | None = None,
    ) -> None:
        """`begun`: when our call began."""
        self.number = number
        "Unique in the session: names the peer in records that outlive it."
        self.connection = connection
        self.remote: Endpoint = connection.remote
        self.owner = owner
        self.outgoing = outgoing
        self.source = "outgoing" if outgoing else "incoming"
        self.created = now
        self.begun = now if begun is None else begun
        "When our call began, or theirs was let in."
        self.peer_id = b""
        self.info_hash = b""
        self.client = ""
        self.fast = False
        self.extension = False
        self.v2 = False
        "The connection is one of the v2 swarm: hashes may be asked for (BEP 52)."
        self.v2_able = False
        "It said in its handshake that it can speak v2."
        self.says: ExtHandshake | None = None
        "Its extension handshake (BEP 10)."
        self.reqq = 250
        self.upload_only = False
        # what they have
        self.have = 0
        self.haves = False
        "Their pieces are in the availability counts."
        self.seed = False
        # the four flags of BEP 3
        self.am_choking = True
        self.am_interested = False
        self.choked = True
        self.interested = False
        self.optimistic = False
        self.last_unchoked = -1.0
        # downloading
        self.owed = Outstanding()
        self.mine: OpenPiece | None = None
        self.last_piece = -1
        "The piece it was asked for last."
        self.bargain: Bargain | None = None
        self.shipped = 0
        "Payload bytes of `piece` messages that were handed to the connection."
        self.web = False
        "It is a web server (`engine.weblane`): best asked for what follows in the torrent, and nobody can call it."
        self.grown = 8
        self.pace = Pace()
        "How fast it is when it is asked; kept while readers wait."
        "The window grows by what arrives, so it doubles each round trip until the measured speed bounds it."
        self.late = 0
        self.clear_at = 0.0
        "When what was taken back from it will have come all the same, by how fast it is."
        "Blocks that may still come although they were given up."
        self.waiting_since: float | None = None
        "The later of when it was asked and when it last sent a block; meaningless while it owes none."
        self.snubbed = False
        self.proven = False
        "It had a part in a piece that verified."
        self.suspect = False
        "It had a part in a bad piece that is not cleared up: on parole, it gets whole pieces for itself."
        self.rejects = 0
        self.bad = 0
        "Pieces with a part of this peer's that did not verify."
        self.allowed_in: list[int] = []
        "Pieces it lets us have while choked (BEP 6)."
        self.allowed_out: list[int] = []
        self.allowance = 0
        "Blocks of them that it may still have while choked."
        self.suggested: list[int] = []
        "Pieces it would like to be asked for (BEP 6)."
        self.odd_pieces = 0
        # uploading: see engine.uploads
        self.ahead = AHEAD_FIRST
        "Bytes that may wait for the kernel."
        self.up_before = 0
        "Bytes sent until the last second began."
        self.sent_before = 0
        "Bytes sent until it was unchoked last."
        self.last_asked = now
        self.uploads = Wanted()
        self.paused = False
        self.down = RateMeter(3.0)
        self.up = RateMeter(3.0)
        self.rtt = 0.0
        "The shortest wait between a request and its block in seconds, 0 where unknown."
        self.asked_at: float | None = None
        "When the first request was sent to a peer that owed nothing."
        "Seconds, where it is known."
        self.noise = 0
        "Messages that changed nothing, less those that time has forgiven."
        self.last_in = now
        self.last_out = now
        self.missing = handshake.LENGTH
        self._decoder: Decoder | None = None
        self.handed_over = False
        "Its connection belongs to somebody else from the handshake on, and it is no peer."
        self._held: bytes | None = None
        "What came behind the handshake and waits until somebody owns the peer."

    # -- Sink

    def received(self, data: memoryview) -> int:
        if self.closing:
            return len(data)  # one read may be handed on in parts, and an earlier part sent the peer away
        if self._held is not None:
            return self._after_held(self._held, data)
        return self._take(data)

    def _take(self, data: memoryview) -> int:
        used = self.guard(lambda: self._read(data))
        return len(data) if used < 0 else used

    def _read(self, data: memoryview) -> int:
        if self._decoder is None:
            return self._greet(data)
        events, used = self._decoder.decode(data)
        self.missing = self._decoder.missing
        if events:
            self.owner.events(self, events)
        self.noise += self._decoder.take_unknown()
        if self.noise > limits.NOISE:
            raise RemoteError("sends nothing but noise")
        return used

    def guard(self, work: Callable[[], int]) -> int:
        """Do what follows from something the peer sent: it goes when it broke a rule (-1 is returned then), and also
        when a bug passes through.
        """
        sound = False
        try:
            done = work()
            sound = True
        except WildbachError as error:
            self.close(error)
            sound = True
            return -1
        finally:
            if not sound:
                self.owner.bug(self)
                self.close()
        return done

    def _greet(self, data: memoryview) -> int:
        if len(data) < handshake.LENGTH:
            if not handshake.plausible(data):
                raise RemoteError("not a BitTorrent handshake")
            self.missing = handshake.LENGTH - len(data)
            return 0
        theirs = handshake.parse(data[: handshake.LENGTH])
        self.open(theirs)
        owner = self.owner.greeted(self, theirs)
        if self.handed_over:
            return handshake.LENGTH
        if owner is None:
            raise RemoteError("not wanted here")
        self.owner = owner
        rest = data[handshake.LENGTH :]
        if self._held is not None:
            self._held = bytes(rest)
            return len(data)
        return handshake.LENGTH + (self.received(rest) if len(rest) and not self.closing else len(rest))

    def open(self, theirs: Handshake) -> None:
        """Speak the peer protocol from here on. A connection that was greeted some other way starts with this."""
        self.peer_id = theirs.peer_id
        self.info_hash = theirs.info_hash
        self.fast = theirs.fast
        self.extension = theirs.extension
        self._decoder = Decoder()
        self.missing = 0

    def hold(self) -> None:
        """Called while it is being greeted: hear no more of it until `release`. Its own buffers slow it down."""
        self._held = b""
        self.connection.pause()

    def release(self, owner: PeerOwner) -> None:
        """Somebody owns it now: go on where it was held."""
        self.owner = owner
        self.connection.resume()
        if self._held is not None and not self.closing:
            self._after_held(self._held, memoryview(b""))

    def _after_held(self, held: bytes, data: memoryview) -> int:
        """Put what was held before what has come; as `received`."""
        if isinstance(self.owner, Waiting):
            self._held = held + data
            return len(data)
        both = memoryview(held + data)
        used = self._take(both)
        if used >= len(held):
            self._held = None
            return used - len(held)
        self._held = bytes(both[used:])
        return len(data)

    @property
    def greeted(self) -> bool:
        return self._decoder is not None

    def expect_pieces(self, pieces: int) -> None:
        if self._decoder is not None:
            self._decoder.expect_pieces(pieces)

    def drained(self) -> None:
        self.owner.drained(self)

    def closed(self, error: Exception | None) -> None:
        self.owner.ended(self, error)

    # -- sending

    def send(self, data: bytes) -> None:
        """Anything but blocks. Who lets much of it wait does not read, and is left."""
        connection = self.connection
        if connection.queued > limits.SEND_CONTROL_BYTES:
            connection.close(RemoteError("does not read what it is told"))
            return
        connection.send(data)

    def extend(self, extension: Extension, payload: bytes) -> bool:
        """Send an extension message if the peer takes it."""
        number = self.says.id_of(extension) if self.says is not None else 0
        if not number:
            return False
        self.send(codec.extended(number, payload))
        return True

    def close(self, error: Exception | None = None) -> None:
        self.connection.close(error)

    @property
    def closing(self) -> bool:
        return self.connection.closing

    # -- how much to ask

    def window(self, now: float) -> int:
        """Blocks to keep asked: a second's worth, at most 4 MiB, or two round trips where that is more."""
        if self.snubbed:
            return 1
        ceiling = min(self.reqq, limits.REQUESTS_QUEUED)
        if now - self.created > 2.0:
            rate = self.down.rate(now)
            second = int(rate / BLOCK) + 4
            ceiling = min(ceiling, max(min(second, _GROWTH), int(rate * 2 * self.rtt / BLOCK)))
        else:
            ceiling = min(ceiling, _GROWTH)
        return min(self.grown, ceiling)
