"""Datagrams of UDP trackers: both sides' readers, and the client's state machine."""

from __future__ import annotations

import contextlib
from itertools import count

from wildbach.base.errors import FormatError
from wildbach.base.ids import Endpoint
from wildbach.protocol.tracker import udp
from wildbach.protocol.tracker.announce import AnnounceRequest, ScrapeRequest, ScrapeStats, TrackerFailure
from wildbach.protocol.tracker.udpclient import UdpClient

_TRACKER = Endpoint("9.9.9.9", 80)
_REQUEST = AnnounceRequest("udp://t:80/announce?k=1", b"h" * 20, b"-WB0100-abcdefghijkl", 6881)

SEEDS: list[bytes] = [
    udp.connect_request(1),
    udp.announce_request(7, 2, _REQUEST),
    udp.scrape_request(7, 3, (b"h" * 20, b"i" * 20)),
    udp.connect_reply(1, 7),
    udp.announce_reply(2, 1800, 1, 2, bytes(range(1, 37))),
    udp.scrape_reply(3, [ScrapeStats(1, 2, 3)]),
    udp.error_reply(2, "connection id mismatch"),
    udp.connect_reply(1, 7) + udp.announce_reply(2, 1800, 1, 2, bytes(range(1, 37))),
]


def one_input(data: bytes) -> None:
    for read in (udp.parse_request, udp.parse_connect_reply, udp.parse_options):
        with contextlib.suppress(FormatError, TrackerFailure):
            read(data)
    for family in (4, 6):
        with contextlib.suppress(FormatError, TrackerFailure):
            udp.parse_announce_reply(data, family)
    _drive(data)


def _drive(data: bytes) -> None:
    """Feed the client a course of datagrams: each is 20 bytes of the input, time passes by the last of them."""
    numbers = count(1)
    client = UdpClient(lambda: next(numbers))
    client.begin(_TRACKER, _REQUEST, 0.0)
    client.begin(_TRACKER, ScrapeRequest("udp://t:80", (b"h" * 20,)), 0.0)
    now = 0.0
    client.received(_TRACKER, data, now)
    for at in range(0, min(len(data), 400), 20):
        chunk = data[at : at + 20]
        now += chunk[-1]
        client.received(_TRACKER, chunk, now)
        client.tick(now)
