"""Answers to the queries of others: small, only to addresses worth answering, never more than was earned.

An address is proven where it is in our table or of class local. All others get at most five times their own query, and
no more in all than five times what came (`guard.Credit`), which is what an item or the filters of a scrape may use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.protocol import compact
from wildbach.protocol.dht import items, krpc
from wildbach.protocol.dht.guard import Credit, Tokens
from wildbach.protocol.dht.items import ItemStore
from wildbach.protocol.dht.peers import PeerStore
from wildbach.protocol.dht.places import place

_SLACK = 8
"Bytes kept free for length prefixes."


class Near(Protocol):
    """The tables of our nodes, one for each IP version."""

    def __call__(self, version: int, target: int) -> Sequence[krpc.NodeInfo]: ...


class Server:
    def __init__(
        self, version: int, tokens: Tokens, peers: PeerStore, store: ItemStore, near: Near,
        proven: Callable[[Endpoint], bool],
    ) -> None:
        self._version = version
        self._tokens = tokens
        self._peers = peers
        self._items = store
        self._near = near
        self._proven = proven
        self._credit = Credit()

    def answer(self, node_id: bytes, query: krpc.Query, remote: Endpoint, size: int, now: float) -> bytes | None:
        """The answer to a query of `size` bytes; None for none."""
        limit, paid = self._limit(remote, size)
        question = query.question
        item = self._items.get(question.target, now) if isinstance(question, krpc.Get) else None
        if item is None:
            limit = min(limit, limits.DHT_REPLY_BYTES)
        base = krpc.Reply(query.tid, node_id, remote)
        try:
            match question:
                case krpc.Ping():
                    data = krpc.encode_reply(base)
                case krpc.AnnouncePeer():
                    data = self._announce(base, question, remote, now)
                case krpc.Put():
                    data = self._put(base, question, remote, now)
                case krpc.Unknown(target=None):
                    raise items.PutRefused(krpc.UNKNOWN_METHOD, "method unknown")
                case _:
                    small = limits.DHT_REPLY_BYTES if not paid else limits.DHT_AMPLIFICATION * size
                    data = self._search(base, question, remote, min(limit, small), limit, now)
        except items.PutRefused as refusal:
            data = krpc.encode_error(krpc.Error(query.tid, refusal.code, refusal.text))
        return self._within(data, limit, paid)

    def complain(self, fault: krpc.BadQuery, remote: Endpoint, size: int) -> bytes | None:
        """The error for a query that is wrong."""
        limit, paid = self._limit(remote, size)
        return self._within(krpc.encode_error(krpc.Error(fault.tid, fault.number, fault.message)), limit, paid)

    def _limit(self, remote: Endpoint, size: int) -> tuple[int, bool]:
        """Bytes the answer may have, and whether they are taken from the credit."""
        if self._proven(remote):
            return limits.DHT_ITEM_REPLY_BYTES, False
        return self._credit.earn(size), True

    def _within(self, data: bytes, limit: int, paid: bool) -> bytes | None:
        if len(data) > limit:
            return None
        if paid:
            self._credit.spend(len(data))
        return data

    def _search(
        self, base: krpc.Reply, question: krpc.Question, remote: Endpoint, small: int, limit: int, now: float
    ) -> bytes:
        """Nodes near a target, and what we keep there as far as it fits."""
        if isinstance(question, krpc.Ping | krpc.AnnouncePeer | krpc.Put) or question.target is None:
            return krpc.encode_reply(base)
        reply = base
        if isinstance(question, krpc.GetPeers | krpc.Get):
            reply = reply._replace(token=self._tokens.make(remote.host, now))
        if isinstance(question, krpc.Get):
            reply = self._with_item(reply, question, limit, now)
        if isinstance(question, krpc.Sample):
            reply = reply._replace(samples=(), interval=0, num=len(self._peers))
        if isinstance(question, krpc.GetPeers) and question.scrape:
            reply = self._with_filters(reply, question.info_hash, limit, now)
        reply = self._with_nodes(reply, question.target, question.want, limit)
        used = len(krpc.encode_reply(reply))
        if isinstance(question, krpc.GetPeers):
            entry = (compact.SIZE_V4 + 2) if self._version == 4 else (compact.SIZE_V6 + 3)
            room = (min(small, limit) - used - 2 * _SLACK) // entry
            values = self._peers.peers(question.info_hash, room, now, noseed=question.noseed)
            reply = reply._replace(values=values)
        elif isinstance(question, krpc.Sample):
            samples = self._peers.sample((limit - used - 2 * _SLACK) // 20, now)
            reply = reply._replace(samples=samples, interval=self._peers.interval(now))
        return krpc.encode_reply(reply)

    def _with_nodes(self, reply: krpc.Reply, target: bytes, want: tuple[int, ...], limit: int) -> krpc.Reply:
        """The nodes that are wanted, the own version first; as many as fit."""
        used = len(krpc.encode_reply(reply)) + 2 * _SLACK
        number = int.from_bytes(target, "big")
        for version in sorted(want or (self._version,), key=lambda v: v != self._version):
            size = 26 if version == 4 else 38
            nodes = self._near(version, number)[: max(0, (limit - used) // size)]
            used += len(nodes) * size + _SLACK
            reply = reply._replace(nodes=nodes) if version == 4 else reply._replace(nodes6=nodes)
        return reply

    def _with_item(self, reply: krpc.Reply, question: krpc.Get, limit: int, now: float) -> krpc.Reply:
        item = self._items.get(question.target, now)
        if item is None:
            return reply
        if item.mutable:
            reply = reply._replace(seq=item.seq)
            if question.seq is not None and item.seq <= question.seq:
                return reply
        full = reply._replace(value=item.raw, key=item.key, signature=item.signature)
        return full if len(krpc.encode_reply(full)) <= limit else reply

    def _with_filters(self, reply: krpc.Reply, info_hash: bytes, limit: int, now: float) -> krpc.Reply:
        filters = self._peers.filters(info_hash, now)
        if filters is None:
            return reply
        full = reply._replace(bloom_seeds=bytes(filters[0]), bloom_peers=bytes(filters[1]))
        return full if len(krpc.encode_reply(full)) <= limit else reply

    def _announce(self, base: krpc.Reply, announce: krpc.AnnouncePeer, remote: Endpoint, now: float) -> bytes:
        self._prove(announce.token, remote, now)
        port = remote.port if announce.implied else announce.port
        if not self._peers.add(announce.info_hash, Endpoint(remote.host, port), announce.seed, now):
            raise items.PutRefused(krpc.SERVER, "there is no room")
        return krpc.encode_reply(base)

    def _put(self, base: krpc.Reply, put: krpc.Put, remote: Endpoint, now: float) -> bytes:
        self._prove(put.token, remote, now)
        self._items.put(items.of_put(put), now, put.cas)
        return krpc.encode_reply(base)

    def _prove(self, token: bytes, remote: Endpoint, now: float) -> None:
        if place(remote.host) is None or not self._tokens.check(token, remote.host, now):
            raise items.PutRefused(krpc.PROTOCOL, "the token is not one that was given to this address")
