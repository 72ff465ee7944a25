"""Messages of the DHT, a node that gets them, and the items in them: what is kept is genuine and can be sent again."""

from __future__ import annotations

from random import Random

from wildbach.base import limits
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
        b"ag", _ID, krpc.Put(b"token", _ITEM.raw, _ITEM.key, _ITEM.salt, _ITEM.seq, _ITEM.signature, None)),
    krpc.encode_reply(krpc.Reply(b"ah", _ID, Endpoint("8.8.8.8", 6881))._replace(
        nodes=[krpc.NodeInfo(_ID, Endpoint("9.9.9.9", 1234))], values=[Endpoint("7.7.7.7", 80)], token=b"t")),
    krpc.encode_reply(krpc.Reply(
        b"aj", _ID, value=_ITEM.raw, key=_ITEM.key, seq=_ITEM.seq, signature=_ITEM.signature)),
    krpc.encode_error(krpc.Error(b"ai", 201, "no")),
]
TOKENS = [b"1:q", b"1:y1:q", b"5:nodes26:", b"6:values", b"5:token", b"4:salt", b"3:seq", b"2:id20:", b"3:caseq"]


def one_input(data: bytes) -> None:
    node = Node(_ID, family=4, rng=Random(1), now=0.0)
    node.bootstrap([Endpoint("8.8.8.8", 6881)], 0.0)
    node.received(Endpoint("8.8.8.8", 6881), data, 1.0)
    node.tick(2.0)
    message = krpc.decode(data)
    if isinstance(message, krpc.Query) and not isinstance(message.question, krpc.Unknown):
        again = krpc.decode(krpc.encode(message))
        assert isinstance(again, krpc.Query) and again.question == message.question
    if isinstance(message, krpc.Reply):
        item = items.of_reply(message, _ITEM.target, b"salt")
        assert item is None or item == _ITEM
    elif isinstance(message, krpc.Query) and isinstance(message.question, krpc.Put):
        _keep(message.question)


def _keep(put: krpc.Put) -> None:
    store = items.ItemStore(0)
    try:
        item = items.of_put(put)
        store.put(item, 0.0, put.cas)
    except items.PutRefused:
        return
    assert len(item.raw) <= limits.DHT_ITEM_BYTES and store.get(item.target, 1.0) == item
