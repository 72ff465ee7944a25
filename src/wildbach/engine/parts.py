"""What a torrent has while it is awake, and what it has once its metadata is known."""

from __future__ import annotations

import asyncio
from typing import Protocol

from wildbach.disk.layout import excluded
from wildbach.engine.brief import Brief
from wildbach.engine.connections import Connections, ConnectionsOwner
from wildbach.engine.headtalk import HeadTalk
from wildbach.engine.options import AddOptions
from wildbach.engine.paying import PayTalk
from wildbach.engine.piecespecs import PieceSpecs
from wildbach.engine.ratelimits import Gate, Gates
from wildbach.engine.relocation import Relocation
from wildbach.engine.selection import Selection
from wildbach.engine.shared import Shared
from wildbach.engine.swarm import Swarm, SwarmOwner
from wildbach.engine.talk import Talk, TalkOwner
from wildbach.engine.verdicts import VerdictOwner, Verdicts
from wildbach.engine.webseeds import WebSeeds, WebSeedsOwner
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.webseed import Style
from wildbach.runtime.tasks import Scope


class PartsOwner(ConnectionsOwner, SwarmOwner, TalkOwner, VerdictOwner, WebSeedsOwner, Protocol):
    """The torrent."""

    port: int
    options: AddOptions

    @property
    def peer_id(self) -> bytes: ...


class Parts:
    """Made when somebody asks for the torrent, dropped when it goes to sleep."""

    __slots__ = (
        "changed", "complete", "gates", "links", "metadata", "relocation", "scope", "swarm", "talk", "verdicts", "web",
    )

    def __init__(self, torrent: PartsOwner, shared: Shared, scope: Scope) -> None:
        self.scope = scope
        self.swarm = Swarm(torrent, lambda: shared.settings, shared.clock)
        self.talk = Talk(torrent, torrent.hashes, self.swarm.peers, shared.clock)
        self.talk.anonymous = shared.settings.peers.anonymous
        self.talk.pex = shared.settings.peers.pex
        self.talk.port = torrent.port
        self.talk.hint = lambda endpoint, encrypted, utp: shared.roads.hint(endpoint, encrypted=encrypted, utp=utp)
        self.talk.external = shared.external
        heads = self.talk.heads = HeadTalk(shared.heads, lambda: torrent.key, self.swarm.peers, shared.clock)
        heads.on = not shared.settings.peers.anonymous
        heads.review = self.swarm.review_use
        self.swarm.keeps = heads.keeps
        pay = self.talk.pay = PayTalk(lambda: shared.till, lambda: torrent.key, self.swarm.open_pieces)
        pay.on = not shared.settings.peers.anonymous
        pay.asks_again = self.swarm.ask_again
        pay.review = self.swarm.review_use
        self.swarm.choker.payment = pay
        self.gates = Gates(
            Gate(shared.down), Gate(shared.up),
            lambda peer: not shared.settings.rates.limit_local and shared.local(peer.remote),
        )
        self.gates.down.own.limit = torrent.options.down_limit
        self.gates.up.own.limit = torrent.options.up_limit
        self.relocation = Relocation()
        self.verdicts = Verdicts(torrent, self.swarm.peers, self.talk.hash_fetcher)
        self.web = WebSeeds(torrent, shared.web, lambda: shared.settings.web_seeds, shared.clock)
        self.web.add(torrent.options.web_seeds, by_user=True)
        self.web.add(torrent.options.http_seeds, Style.PIECES, by_user=True)
        self.links = Connections(
            torrent, shared, scope, self.swarm, self.talk, self.verdicts, torrent.peer_id, self.web)
        self.talk.punch.owner = self.links
        self.talk.punch.on = shared.utp is not None and shared.settings.discovery.hole_punching
        self.complete = asyncio.Event()
        self.metadata = asyncio.Event()
        self.changed = asyncio.Event()
        "Set when something a waiter looks at may have changed."


class Known:
    """The info dictionary, and what follows from it."""

    __slots__ = ("info", "selection", "specs")

    def __init__(self, metainfo: Metainfo, options: AddOptions, brief: Brief | None) -> None:
        self.info = metainfo.info
        self.specs = PieceSpecs(metainfo)
        self.selection = Selection(
            metainfo.info, options.select, brief.priorities if brief is not None else (),
            excluded=excluded(metainfo.info, options.exclude),
        )
