"""What a tracker is asked over HTTP and UDP, from the first byte to the answer."""

import random

from wildbach.net.tinyhttp import Refusal, read_request
from wildbach.protocol.tracker import udp
from wildbach.protocol.tracker.announce import AnnounceRequest
from wildbach.services.tracker.access import Access
from wildbach.services.tracker.datagrams import UdpTracker
from wildbach.services.tracker.pace import Pace
from wildbach.services.tracker.proof import ConnectionIds, Rates
from wildbach.services.tracker.requests import HttpTracker
from wildbach.services.tracker.store import Store

_HOST = b"\x0a\0\0\1"
_RNG = random.Random(1)
_STORE = Store(_RNG, torrents=100, peers=1000)
_IDS = ConnectionIds(b"k" * 32)
_IDS.tick(0.0)
_STORE.tick(0.0)
_PARTS = (Access(), Pace(_RNG, interval=1800))
_UDP = UdpTracker(_STORE, _IDS, Rates(0), *_PARTS)
_HTTP = HttpTracker(_STORE, Rates(0), *_PARTS)
_CONNECTION = int.from_bytes(_IDS.issue(_HOST), "big")
_QUERY = b"info_hash=%01%02aaaaaaaaaaaaaaaaaa&peer_id=-WB0100-abcdefghijkl&port=6881&left=0&compact=0&numwant=50"
SEEDS: list[bytes] = [
    b"GET /announce?" + _QUERY + b" HTTP/1.1\r\nHost: x\r\nConnection: close",
    b"GET /scrape?info_hash=" + b"%ff" * 20 + b" HTTP/1.0\r\ncontent-length: 0",
    b"HEAD / HTTP/1.1",
    udp.connect_request(7),
    udp.announce_request(_CONNECTION, 7, AnnounceRequest(
        "udp://t:1/somekey-1/announce", b"h" * 20, b"-WB0100-abcdefghijkl", 6881, left=1)),
    udp.scrape_request(_CONNECTION, 7, (b"h" * 20, b"i" * 20)),
]
TOKENS: list[bytes] = [b"\r\n", b" HTTP/1.1", b"transfer-encoding: x", b"&compact=1", b"&event=stopped"]
ALLOWED = (Refusal,)


def one_input(data: bytes) -> None:
    reply = _UDP.answer(_HOST, data)
    assert reply is None or len(reply) <= 1400
    stranger = _UDP.answer(b"\x0a\0\0\2", data)
    assert stranger is None or len(stranger) <= max(16, len(data))
    target, _, _ = read_request(data)
    assert _HTTP.answer(target, _HOST).status in (200, 404)
