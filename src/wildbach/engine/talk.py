"""The extension messages of one torrent (BEP 10): who we are, metadata, peer exchange, lost pieces, hashes, heads.

Wires the state machines of `engine.metadata`, `engine.hashes`, `engine.headtalk` and `protocol.ext` to the peers.
Decides nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from wildbach.base.addresses import classify, may_dial
from wildbach.base.ids import Endpoint, InfoHashes
from wildbach.engine.external import ExternalAddress
from wildbach.engine.hashes import FalseHashes, Fetched, FileTree, HashFetcher, HashServer
from wildbach.engine.headtalk import HeadTalk
from wildbach.engine.holepunch import HolePunch, by_utp, punched_at
from wildbach.engine.leaves import Leaves
from wildbach.engine.metadata import MetadataFetcher, MetadataServer
from wildbach.engine.paying import PayTalk
from wildbach.engine.peer import Peer
from wildbach.protocol.ext import donthave, handshake, hashes, metadata, pex
from wildbach.protocol.ext.handshake import NAMES, Extension
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.wire import codec

CLIENT = "wildbach 0.1.0"


class TalkOwner(Protocol):
    def metadata_found(self, raw: bytes) -> None: ...

    def layers_found(self, root: bytes, layer: bytes) -> None: ...

    def dont_have(self, peer: Peer, piece: int) -> None: ...

    def endpoints_found(self, endpoints: Sequence[Endpoint], source: str) -> None: ...

    def leaves_found(self, found: Fetched) -> None: ...

    def ban(self, endpoint: Endpoint, reason: str) -> None: ...

    def upload_only(self, peer: Peer) -> None: ...


class Talk:
    """The extension side of one torrent's peers."""

    def __init__(
        self, owner: TalkOwner, hashes: InfoHashes, peers: Mapping[int, Peer], clock: Callable[[], float],
    ) -> None:
        self._owner = owner
        self._peers = peers
        self._clock = clock
        self.private = False
        self.anonymous = False
        self.pex = True
        self.port = 0
        self.external = ExternalAddress()
        "Peers say at which address they see us."
        self.info: Info | None = None
        self.upload_only = False
        self.fetcher: MetadataFetcher[Endpoint] | None = MetadataFetcher(hashes)
        self._server: MetadataServer[int] | None = None
        self.hash_fetcher: HashFetcher[int] = HashFetcher()
        self._hash_server: HashServer[int] | None = None
        self._leaves: Leaves | None = None
        self.punch = HolePunch(peers, clock, self._own)
        self.heads: HeadTalk | None = None
        "What peers tell each other of keys that are followed; None where nobody follows any."
        self.pay = PayTalk(lambda: None, lambda: "", dict)
        "What is bought from them and sold to them."
        self.hint: Callable[[Endpoint, bool, bool], None] = lambda endpoint, encrypted, utp: None
        "Takes what PEX says of how an endpoint is called: encrypted, by uTP."
        self._by_endpoint: dict[Endpoint, Peer] = {}
        self._sent_pex: dict[int, pex.PexSender] = {}
        self._got_pex: dict[int, pex.PexReceiver] = {}
        self._recent = pex.Recent()

    def know(self, info: Info, layers: Mapping[bytes, bytes], leaves: Leaves | None) -> None:
        """The info dictionary is known: stop fetching it and serve it."""
        self.info = info
        self.private = info.private
        if self.heads is not None and info.private:
            self.heads.on = False
        self.pay.piece_length = 0 if info.private else info.piece_length
        self.fetcher = None
        self._server = MetadataServer(info.raw)
        if self.pay.terms() is not None:
            self.greet_again()
        elif not self.private:
            # Who met us while we had nothing to tell would wait for the metadata until it met somebody else.
            for peer in list(self._by_endpoint.values()):
                if peer.extension and not peer.closing and (peer.says is None or not peer.says.metadata_size):
                    self._greet(peer)
        if leaves is not None:
            self._hash_server = HashServer(_trees(info), layers, leaves.get)
            self._leaves = leaves

    def want_layers(self, missing: Sequence[bytes]) -> None:
        """Fetch the piece layers of the files with these roots (BEP 52)."""
        if self.info is not None:
            wanted = dict.fromkeys(missing)
            for tree in _trees(self.info):
                if tree.root in wanted:
                    self.hash_fetcher.want_layer(tree)
            self.ask_for_hashes()

    # -- peers

    def joined(self, peer: Peer) -> None:
        self._by_endpoint[peer.remote] = peer
        if peer.extension:
            self._greet(peer)

    def _greet(self, peer: Peer) -> None:
        """Our extension handshake; another one takes the place of the last (BEP 10)."""
        off: list[Extension] = []
        if self.private or not self.pex:
            off.append(Extension.UT_PEX)
        if self.private or not self.punch.on:
            off.append(Extension.UT_HOLEPUNCH)
        if self.heads is None or not self.heads.on:
            off.append(Extension.WB_HEAD)
        pays = self.pay.terms()
        if pays is None:
            off.append(Extension.WB_PAY)
        names = {NAMES[e]: int(e) for e in Extension if e not in off}
        # Who meets us by one IP version may tell others how to reach us by the other.
        six = ":" in peer.remote.host
        other = "" if self.anonymous else self.external.callable_at(4 if six else 6)
        payload = handshake.build(
            extensions=names, client="" if self.anonymous else CLIENT,
            port=0 if self.anonymous else self.port, yourip=peer.remote.host,
            ipv4=other if six else "", ipv6="" if six else other,
            metadata_size=len(self.info.raw) if self.info is not None else 0,
            upload_only=self.upload_only, pays=pays,
        )
        peer.send(codec.extended(0, payload))

    def speaks_v2(self, peer: Peer) -> None:
        """Ask a peer of the swarm for hashes from now on, if it is one that may have some."""
        if peer.v2:
            self.hash_fetcher.on_peer(peer.number)
            self.ask_for_hashes()

    def left(self, peer: Peer, *, parted: bool = False) -> None:
        """`parted`: we left it, and it is as good for others as before."""
        at = listening_at(peer)
        if parted and at is not None and peer.says is not None:
            self._recent.add(at, _flags(peer))
        if self._by_endpoint.get(peer.remote) is peer:
            # It may be another one by now, whose connection took the place of this one.
            del self._by_endpoint[peer.remote]
            if self.fetcher is not None:
                self.fetcher.on_peer_gone(peer.remote)
        self.hash_fetcher.on_peer_gone(peer.number)
        if self._hash_server is not None:
            self._hash_server.on_peer_gone(peer.number)
        self._sent_pex.pop(peer.number, None)
        self._got_pex.pop(peer.number, None)
        self.punch.left(peer)
        if self.heads is not None:
            self.heads.left(peer)
        self.pay.left(peer)

    def extended(self, peer: Peer, message: codec.Extended) -> None:
        if message.id == 0:
            self._hello(peer, handshake.parse(message.payload))
        elif message.id == Extension.UT_METADATA:
            self._metadata(peer, message.payload)
        elif message.id == Extension.UT_PEX:
            self._pex(peer, message.payload)
        elif message.id == Extension.UT_HOLEPUNCH:
            if not self.private:
                self.punch.received(peer, message.payload)
        elif message.id == Extension.WB_HEAD:
            if self.heads is not None:
                self.heads.received(peer, message.payload)
        elif message.id == Extension.WB_PAY:
            self.pay.received(peer, message.payload)
        elif message.id == Extension.LT_DONTHAVE:
            if self.info is not None:
                self._owner.dont_have(peer, donthave.decode(message.payload, self.info.geometry.piece_count))
        elif message.id == Extension.UPLOAD_ONLY:
            peer.upload_only = handshake.decode_upload_only(message.payload)
            self._owner.upload_only(peer)

    def _hello(self, peer: Peer, says: handshake.ExtHandshake) -> None:
        peer.says = says if peer.says is None else peer.says.updated(says)
        peer.reqq = says.reqq
        if says.yourip:
            self.external.vote(says.yourip, peer.remote.host)
        peer.client = says.client or peer.client
        if says.upload_only != peer.upload_only:
            peer.upload_only = says.upload_only
            self._owner.upload_only(peer)
        if self.heads is not None:
            self.heads.hello(peer)
        self.pay.hello(peer)
        if self.fetcher is not None and says.metadata_size and says.id_of(Extension.UT_METADATA):
            self.fetcher.on_peer(peer.remote, says.metadata_size)
            self._metadata_tick()

    # -- metadata (BEP 9)

    def _metadata(self, peer: Peer, payload: bytes) -> None:
        message = metadata.decode(payload)
        if isinstance(message, metadata.MetadataRequest):
            answer: metadata.MetadataData | metadata.MetadataReject = metadata.MetadataReject(message.piece)
            if self._server is not None:
                answer = self._server.answer(peer.number, message.piece, self._clock())
            if isinstance(answer, metadata.MetadataData):
                peer.noise -= 1
            peer.extend(Extension.UT_METADATA, metadata.encode(answer))
            return
        if self.fetcher is None or message is None:
            return
        if isinstance(message, metadata.MetadataData):
            self.fetcher.on_data(peer.remote, message.piece, message.total, message.data)
            peer.noise = max(0, peer.noise - 1 - (len(payload) >> 10))
        else:
            self.fetcher.on_reject(peer.remote, message.piece)
        self._metadata_tick()

    def _metadata_tick(self) -> None:
        fetcher = self.fetcher
        if fetcher is None:
            return
        for endpoint in fetcher.take_guilty():
            self._owner.ban(endpoint, "sent metadata that is not the torrent's")
        if fetcher.result is not None:
            self._owner.metadata_found(fetcher.result)
            return
        for endpoint, piece in fetcher.tick(self._clock()):
            peer = self._by_endpoint.get(endpoint)
            if peer is not None:
                peer.extend(Extension.UT_METADATA, metadata.encode(metadata.MetadataRequest(piece)))

    # -- hashes (BEP 52)

    def hash_message(self, peer: Peer, message: codec.HashMessage) -> None:
        if message.id == codec.HASH_REQUEST:
            self._hash_request(peer, hashes.decode_request(message.payload))
        elif message.id == codec.HASHES:
            try:
                self.hash_fetcher.on_hashes(peer.number, hashes.decode_hashes(message.payload))
            except FalseHashes as error:
                self._owner.ban(peer.remote, error.message)
            self.ask_for_hashes()
        else:
            self.hash_fetcher.on_reject(peer.number, hashes.decode_request(message.payload))
            self.ask_for_hashes()

    def _hash_request(self, peer: Peer, request: hashes.HashRequest) -> None:
        server, leaves = self._hash_server, self._leaves
        if server is None or leaves is None:
            peer.send(codec.hash_message(codec.HASH_REJECT, hashes.encode_reject(request)))
            return
        lacking = server.lacking(peer.number, request)
        # Who may take a piece while choked (BEP 6) may look for its false block too.
        choked = peer.am_choking and not (
            peer.allowed_out and lacking
            and all(any(at in peer.allowed_out for at in leaves.places(request.root, piece)) for piece in lacking)
        )
        if choked or not lacking or not leaves.load(request.root, lacking, lambda: self._answer(peer, request, choked)):
            self._answer(peer, request, choked)

    def _answer(self, peer: Peer, request: hashes.HashRequest, choked: bool) -> None:
        if self._hash_server is None or peer.closing:
            return
        answer = self._hash_server.answer(peer.number, request, self._clock(), choked=choked)
        if answer is None:
            peer.send(codec.hash_message(codec.HASH_REJECT, hashes.encode_reject(request)))
        else:
            peer.send(codec.hash_message(codec.HASHES, hashes.encode_hashes(answer)))

    def ask_for_hashes(self) -> None:
        """Send what the fetcher wants asked, and hand on what it has."""
        fetcher = self.hash_fetcher
        if fetcher.idle:
            return
        for found in fetcher.take():
            if found.is_layer:
                self._owner.layers_found(found.tree.root, found.hashes)
            else:
                self._owner.leaves_found(found)
        for number, request in fetcher.tick(self._clock()):
            peer = self._peers.get(number)
            if peer is not None:
                peer.send(codec.hash_message(codec.HASH_REQUEST, hashes.encode_request(request)))

    # -- peer exchange (BEP 11)

    def _pex(self, peer: Peer, payload: bytes) -> None:
        if self.private or not self.pex:
            return
        receiver = self._got_pex.setdefault(peer.number, pex.PexReceiver())
        message = receiver.receive(self._clock(), payload)
        source = classify(peer.remote.host)
        found = []
        for endpoint, flags in message.added:
            if may_dial(endpoint, source):
                found.append(endpoint)
                self.hint(endpoint, bool(flags & pex.PREFERS_ENCRYPTION), bool(flags & pex.UTP))
                if flags & pex.HOLEPUNCH:
                    self.punch.told(endpoint, peer)
        if found:
            self._owner.endpoints_found(found, "pex")

    def _exchange(self, now: float) -> None:
        if self.private or not self.pex or not self._peers:
            return
        connected: dict[Endpoint, int] | None = None
        for peer in self._peers.values():
            if peer.says is None or not peer.says.id_of(Extension.UT_PEX):
                continue
            sender = self._sent_pex.setdefault(peer.number, pex.PexSender())
            if not sender.due(now):
                continue
            if connected is None:
                connected = {}
                for other in self._peers.values():
                    listening = listening_at(other)
                    if listening is not None:
                        connected[listening] = _flags(other)
            own = listening_at(peer) or peer.remote
            message = sender.message(now, connected, own, peer.remote, recent=self._recent)
            if message is not None:
                peer.extend(Extension.UT_PEX, pex.encode(message))

    # -- ourselves

    def _own(self, endpoint: Endpoint) -> bool:
        return endpoint.port == self.port and endpoint.host == self.external.get(6 if ":" in endpoint.host else 4)

    def set_upload_only(self, on: bool) -> None:
        """Tell peers that we want nothing any more (BEP 21), or that we do again."""
        if on == self.upload_only:
            return
        self.upload_only = on
        for peer in self._peers.values():
            peer.extend(Extension.UPLOAD_ONLY, handshake.encode_upload_only(on))

    def lost(self, pieces: Iterable[int]) -> None:
        """Take back pieces we had announced (BEP 54)."""
        for piece in pieces:
            for peer in self._peers.values():
                peer.extend(Extension.LT_DONTHAVE, donthave.encode(piece))

    def tick(self, now: float) -> None:
        self._metadata_tick()
        self.ask_for_hashes()
        self._exchange(now)
        if self.heads is not None:
            self.heads.tick(now)
        self.pay.tick(now)

    def greet_again(self) -> None:
        """What our handshake says has changed."""
        for peer in list(self._peers.values()):
            if peer.extension and not peer.closing:
                self._greet(peer)
                self.pay.hello(peer)

    @property
    def reason(self) -> str:
        """Why metadata or hashes are missing, in plain words."""
        if self.fetcher is not None:
            return self.fetcher.reason
        return self.hash_fetcher.reason


def listening_at(peer: Peer) -> Endpoint | None:
    """Where others can call a peer, as far as we know."""
    return punched_at(peer)


def _flags(peer: Peer) -> int:
    """What PEX says of a peer: only what we have seen or what it says itself (BEP 11)."""
    flags = pex.SEED if peer.seed or peer.upload_only else 0
    if peer.says is not None and peer.says.encrypt:
        flags |= pex.PREFERS_ENCRYPTION
    if by_utp(peer):
        flags |= pex.UTP
    if peer.says is not None and peer.says.id_of(Extension.UT_HOLEPUNCH):
        flags |= pex.HOLEPUNCH
    if peer.outgoing:
        flags |= pex.REACHABLE
    return flags


def _trees(info: Info) -> list[FileTree]:
    return [FileTree(file.root, file.length, info.piece_length) for file in info.files if file.root is not None]
