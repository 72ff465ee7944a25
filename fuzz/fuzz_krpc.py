"""Messages of the DHT, and a node that gets them."""

from __future__ import annotations

from random import Random

from wildbach.base.ids import Endpoint
from wildbach.protocol.dht import items, krpc
from wildbach.protocol.dht.node import Node

_ID = bytes(range(20))
_ITEM = items.signed(bytes(32), b"hello", 3, b"salt")
SEEDS: list[bytes] = [
    krpc.encode_query(b"aa", _ID, krpc.Ping()), krpc.encode_query(b"ab", _ID, krpc.FindNode(_ID, (4, 6))),
    krpc.encode_query(b"ac", _ID, krpc.GetPeers(_ID, (), True, True)),
    krpc.encode_query(b"ad", _ID, krpc.AnnouncePeer(_ID, 6881, b"token")),
    krpc.encode_query(b"ae", _ID, krpc.Get(_ID, (), 4)), krpc.encode_query(b"af", _ID, krpc.Sample(_ID)),
    krpc.encode_query(
        b"ag", _ID, krpc.Put(_ITEM.raw, b"token", _ITEM.key, _ITEM.salt, _ITEM.seq, _ITEM.signature, None)),
    krpc.encode_reply(krpc.Reply(b"ah", _ID, Endpoint("8.8.8.8", 6881))._replace(
        nodes=[krpc.NodeInfo(_ID, Endpoint("9.9.9.9", 1234))], values=[Endpoint("7.7.7.7", 80)], token=b"t")),
    krpc.encode_error(krpc.Error(b"ai", 201, "no")),
]
TOKENS = [b"1:q", b"1:y1:q", b"5:nodes26:", b"6:values", b"5:token", b"4:salt", b"3:seq", b"2:id20:", b"3:caseq"]


def one_input(data: bytes) -> None:
    node = Node(_ID, family=4, rng=Random(1), now=0.0)
    node.bootstrap([Endpoint("8.8.8.8", 6881)], 0.0)
    node.received(Endpoint("8.8.8.8", 6881), data, 1.0)
    node.tick(2.0)
    krpc.decode(data)
