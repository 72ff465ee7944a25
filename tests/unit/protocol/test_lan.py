from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.protocol import lan
from wildbach.protocol.lan import LanAnnounce, LanReceiver, LanSchedule

HASH = bytes(range(20))
HASHES = st.lists(st.binary(min_size=20, max_size=20), min_size=1, max_size=lan.FITTING, unique=True).map(tuple)


def test_the_datagram_is_the_one_of_the_text() -> None:
    assert lan.encode(LanAnnounce(6881, (HASH,), "c0ffee"), 4) == (
        b"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: "
        + HASH.hex().encode() + b"\r\ncookie: c0ffee\r\n\r\n\r\n"
    )
    assert b"Host: [ff15::efc0:988f]:6771\r\n" in lan.encode(LanAnnounce(1, (HASH,)), 6)


@given(st.integers(1, 65535), HASHES, st.text("0123456789abcdef", max_size=16))
def test_what_is_written_is_read(port: int, hashes: tuple[bytes, ...], cookie: str) -> None:
    announce = LanAnnounce(port, hashes, cookie)
    data = lan.encode(announce, 6)
    assert len(data) <= limits.LAN_PACKET_BYTES and lan.decode(data) == announce


def test_headers_of_others_are_read_whatever_their_case_and_company() -> None:
    data = (
        b"BT-SEARCH * HTTP/1.1\r\nHOST: x\r\nNew: thing\r\nPORT: 77 \r\ninfoHash:" + HASH.hex().upper().encode()
        + b"\r\nInfohash: short\r\n\r\n\r\n"
    )
    assert lan.decode(data) == LanAnnounce(77, (HASH,))


@pytest.mark.parametrize("data", [
    b"", b"GET / HTTP/1.1\r\n\r\n", b"BT-SEARCH * HTTP/1.1\r\nPort: 1\r\n\r\n",
    b"BT-SEARCH * HTTP/1.1\r\nInfohash: " + HASH.hex().encode() + b"\r\n\r\n",
    b"BT-SEARCH * HTTP/1.1\r\nPort: 70000\r\nInfohash: " + HASH.hex().encode() + b"\r\n\r\n",
    b"BT-SEARCH * HTTP/1.1\r\n" + b"x" * limits.LAN_RECEIVED_BYTES,
])
def test_what_is_no_announce_is_a_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        lan.decode(data)


def test_a_packet_with_too_many_hashes_is_not_sent_and_not_read_whole() -> None:
    many = tuple(number.to_bytes(20, "big") for number in range(100))
    with pytest.raises(ValueError, match="do not fit"):
        lan.encode(LanAnnounce(1, many), 4)
    lines = b"".join(b"Infohash: %b\r\n" % swarm.hex().encode() for swarm in many[:70])
    read = lan.decode(b"BT-SEARCH * HTTP/1.1\r\nPort: 1\r\n" + lines)
    assert read.hashes == many[: limits.LAN_HASHES]


def of(key: str) -> tuple[bytes, ...]:
    return (key.encode().rjust(20, b"."),)


def test_torrents_added_at_once_share_a_packet_and_come_again_after_five_minutes() -> None:
    schedule = LanSchedule()
    for key in "abc":
        schedule.add(key, 0.0)
    assert schedule.next_at(0.0) == 1.0 and schedule.take(0.5, of) == ()
    assert len(schedule.take(1.0, of)) == 3
    assert schedule.take(2.0, of) == () and schedule.next_at(2.0) == 301.0
    assert len(schedule.take(301.0, of)) == 3


def test_there_is_one_packet_a_minute_however_much_there_is_to_tell() -> None:
    schedule = LanSchedule()
    for number in range(1000):
        schedule.add(str(number), 0.0)
    packets = [second for second in range(1, 1801) if schedule.take(float(second), of)]
    assert len(packets) <= 5 + 30
    assert all(later - earlier >= 59 for earlier, later in pairwise(packets[5:]))


def test_every_torrent_has_its_turn() -> None:
    schedule = LanSchedule()
    for number in range(200):
        schedule.add(str(number), 0.0)
    seen: dict[bytes, None] = {}
    for second in range(1, 1200):
        seen.update(dict.fromkeys(schedule.take(float(second), of)))
    assert len(seen) == 200


def test_what_may_not_be_told_costs_no_packet_and_what_is_gone_is_forgotten() -> None:
    schedule = LanSchedule()
    schedule.add("private", 0.0)
    assert schedule.take(1.0, lambda key: ()) == () and schedule.next_at(1.0) == 301.0
    schedule.remove("private")
    assert schedule.next_at(1.0) is None and len(schedule) == 0
    schedule.add("a", 1.0)
    assert schedule.take(2.0, of) == of("a")


def test_a_torrent_that_goes_on_is_announced_soon() -> None:
    schedule = LanSchedule()
    schedule.add("a", 0.0)
    schedule.take(1.0, of)
    schedule.add("a", 100.0)
    assert schedule.next_at(100.0) == 101.0


def test_own_announces_and_floods_are_not_heard() -> None:
    receiver = LanReceiver("mine")
    own = lan.encode(LanAnnounce(1, (HASH,), "mine"), 4)
    other = lan.encode(LanAnnounce(1, (HASH,), "yours"), 4)
    assert receiver.receive("10.0.0.1", own, 0.0) is None
    heard = [receiver.receive("10.0.0.2", other, 1.0) is not None for _ in range(50)]
    assert sum(heard) == limits.LAN_PACKETS_PER_MINUTE_PER_HOST and receiver.dropped == 30
    assert receiver.receive("10.0.0.2", other, 61.0) is not None


def test_a_flood_from_many_senders_is_bounded_too() -> None:
    receiver = LanReceiver("mine")
    other = lan.encode(LanAnnounce(1, (HASH,)), 4)
    heard = sum(receiver.receive(f"10.0.{n >> 8}.{n & 255}", other, 0.0) is not None for n in range(5000))
    assert heard == limits.LAN_HOSTS
