"""A bad link that real kernels speak over: two network namespaces, a tun device in each, and a program between the
devices that makes packets wait, and loses, doubles and reorders them. Needs root and /dev/net/tun.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests import namespaces
from tests.interop.peers.process import JsonProcess
from tests.namespaces import Lab, Space

_TUN = "/dev/net/tun"
_CHILD = Path(__file__).with_name("tunrelay_child.py")
_LONG = "10000"
"Packets that a device holds for the relay: what is lost shall be lost by the link."


def _missing() -> str | None:
    if namespaces.MISSING is not None:
        return namespaces.MISSING
    try:
        os.close(os.open(_TUN, os.O_RDWR))
    except OSError as error:
        return f"{_TUN} cannot be opened: {error.strerror}"
    return None


MISSING = _missing()


@dataclass(frozen=True)
class Conditions:
    """Of a link, the same in both directions. Shares are of packets; the same seed has the same luck."""

    delay: float = 0.01
    "Seconds one way."
    rate: float = 0.0
    "Bytes of IP a second; 0: as fast as the relay is."
    queue: float = 1.0
    "Seconds of waiting for the line, after which packets are dropped; of no meaning without a rate."
    loss: float = 0.0
    reorder: float = 0.0
    "Share of packets that take `hold` seconds longer than those that come after them."
    hold: float = 0.005
    duplicate: float = 0.0
    seed: int = 1


@dataclass(frozen=True)
class Seen:
    """What one direction did in `seconds`."""

    seconds: float
    tcp: int
    "Bytes of IP that arrived."
    udp: int
    dropped: int
    "Packets that found the queue full."
    lost: int
    late: int
    doubled: int
    waits: tuple[tuple[int, int], ...]
    "How many packets waited for the line for how many milliseconds."

    def wait(self, share: float) -> float:
        """Seconds that such a share of the packets waited at most."""
        left = share * sum(count for _, count in self.waits)
        for milliseconds, count in self.waits:
            left -= count
            if left <= 0:
                return milliseconds / 1000
        return 0.0


@dataclass(frozen=True)
class End:
    """A machine at one end of the link."""

    space: Space
    host: str


class TunLink:
    """A link that is up. `near` → `far` is the first direction."""

    def __init__(self, near: End, far: End, relay: JsonProcess) -> None:
        self.near = near
        self.far = far
        self._relay = relay

    def seen(self) -> tuple[Seen, Seen]:
        """What both directions did so far, or since they were watched last."""
        self._relay.send(cmd="seen")
        return self._told(20.0)

    def watch(self, seconds: float) -> tuple[Seen, Seen]:
        """What both directions do in so many seconds from now."""
        self._relay.send(cmd="watch", seconds=seconds)
        return self._told(seconds + 20.0)

    def _told(self, seconds: float) -> tuple[Seen, Seen]:
        event = self._relay.wait("seen", seconds=seconds)
        there, back = (
            Seen(
                event["seconds"], way["carried"].get("tcp", 0), way["carried"].get("udp", 0), way.get("dropped", 0),
                way.get("lost", 0), way.get("late", 0), way.get("doubled", 0), tuple(map(tuple, way["waits"])),
            )
            for way in event["ways"]
        )
        return there, back


@contextmanager
def tun_link(conditions: Conditions) -> Iterator[TunLink]:
    """Two machines and the link between them."""
    with Lab() as lab:
        ends = [End(lab.space("n"), "10.231.78.1"), End(lab.space("f"), "10.231.78.2")]
        for end in ends:
            end.space.run("sysctl", "-w", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        devices = ["tun0", "tun1"]
        words = json.dumps({"devices": devices, **asdict(conditions)})
        with JsonProcess([*ends[0].space.prefix, sys.executable, str(_CHILD), words]) as relay:
            relay.wait("ready")
            ends[0].space.run("ip", "link", "set", devices[1], "netns", ends[1].space.name)
            for end, other, name in zip(ends, reversed(ends), devices, strict=True):
                end.space.run("ip", "addr", "add", end.host, "peer", other.host, "dev", name)
                end.space.run("ip", "link", "set", name, "up", "txqueuelen", _LONG)
            yield TunLink(*ends, relay)
