"""The bad link of the tests is as bad as they ask for, and no worse: seen by plain datagrams of the system's own."""

from __future__ import annotations

import sys

import pytest
from tests import tunrelay
from tests.interop.peers.base import poll
from tests.interop.peers.process import JsonProcess
from tests.tunrelay import Conditions, tun_link

pytestmark = pytest.mark.skipif(tunrelay.MISSING is not None, reason=str(tunrelay.MISSING))
COUNT = 1000
SIZE = 1000
"Bytes of IP of a datagram."
SEND = """
import socket, sys, time
with socket.socket(type=socket.SOCK_DGRAM) as sock:
    sock.connect((sys.argv[1], 7000))
    for number in range(int(sys.argv[2])):
        sock.send((b"%d %.6f" % (number, time.monotonic())).ljust(int(sys.argv[3]) - 28))
"""
HEAR = """
import json, select, socket, sys, time
heard = []
with socket.socket(type=socket.SOCK_DGRAM) as sock:
    sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 23)  # SO_RCVBUFFORCE
    sock.bind((sys.argv[1], 7000))
    print(json.dumps({"event": "bound"}), flush=True)
    while sock in (ready := select.select([sock, sys.stdin], [], [])[0]):
        number, sent = sock.recv(2000).split()
        heard.append((int(number), time.monotonic() - float(sent)))
print(json.dumps({"event": "heard", "heard": heard}), flush=True)
"""


def sent_through(conditions: Conditions) -> tuple[list[int], list[float], tunrelay.Seen]:
    """Numbers of the datagrams in the order in which they came, the seconds that each took, and what the link says."""
    with tun_link(conditions) as link:
        hear = [*link.far.space.prefix, sys.executable, "-c", HEAR, link.far.host]
        with JsonProcess(hear) as receiver:
            receiver.wait("bound")
            link.near.space.run(sys.executable, "-c", SEND, link.far.host, str(COUNT), str(SIZE))

            def all_gone() -> tunrelay.Seen | None:
                seen, _ = link.seen()
                left = COUNT + seen.doubled - seen.dropped - seen.lost - seen.udp // SIZE
                return seen if left == 0 else None

            seen = poll(all_gone, 20, receiver.story)
            receiver.send(cmd="quit")
            heard = receiver.wait("heard")["heard"]
    return [number for number, _ in heard], [took for _, took in heard], seen


def test_packets_are_late_lost_doubled_and_overtaken() -> None:
    numbers, trips, seen = sent_through(Conditions(delay=0.02, loss=0.05, reorder=0.05, duplicate=0.05))
    assert min(trips) >= 0.02
    assert 20 < seen.lost < 90 and COUNT - len(set(numbers)) == seen.lost
    assert 20 < seen.doubled < 90 and len(numbers) - len(set(numbers)) == seen.doubled
    assert 20 < seen.late < 90 and numbers != sorted(numbers)


def test_without_such_wishes_all_come_in_order_and_once() -> None:
    numbers, trips, _ = sent_through(Conditions(delay=0.02))
    assert numbers == list(range(COUNT)) and min(trips) >= 0.02


def test_the_line_has_its_rate_and_its_queue() -> None:
    """A burst of a megabyte meets a queue that holds 0.2 s of 2 MB/s."""
    numbers, trips, seen = sent_through(Conditions(delay=0.01, rate=2e6, queue=0.2))
    assert len(numbers) + seen.dropped == COUNT and seen.dropped > 0
    assert seen.wait(1.0) <= 0.2
    assert max(trips) >= 0.2
