"""Local service discovery (BEP 14): the datagrams, and who is announced when.

An announce looks like an HTTP request without a body. Several info hashes fit into one; those of us that come back by
multicast loopback are known by their cookie. The time and everything that is random are arguments.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.base.ids import Endpoint

GROUPS: Final = {4: Endpoint("239.192.152.143", 6771), 6: Endpoint("ff15::efc0:988f", 6771)}
"The multicast groups by IP version."
INTERVAL: Final = 300.0
"Seconds between two announces of one torrent."
_BURST: Final = 5
"Packets that may go out before one a minute is all: five torrents then have each its announce every five minutes."
_GATHER: Final = 1.0
"Seconds that a new torrent waits for others, so that one packet tells of all."
_LOOKED_AT: Final = 2000
"Torrents that are passed over for one packet."
_HASH = re.compile(rb"[0-9a-fA-F]{40}")
_PORT = re.compile(rb"[0-9]{1,5}")
_HEAD: Final = b"BT-SEARCH * HTTP/1.1"
_COOKIE_CHARS: Final = 64
_OWN_COOKIES: Final = 16


@dataclass(frozen=True, slots=True)
class LanAnnounce:
    """One datagram: somebody accepts peers of these torrents at this port."""

    port: int
    hashes: tuple[bytes, ...]
    cookie: str = ""


def encode(announce: LanAnnounce, family: int) -> bytes:
    """The datagram for the group of an IP version. Raises ValueError where it would be too long for one packet."""
    lines = [_HEAD, b"Host: " + str(GROUPS[family]).encode(), b"Port: %d" % announce.port]
    lines += [b"Infohash: " + swarm.hex().encode() for swarm in announce.hashes]
    if announce.cookie:
        lines.append(b"cookie: " + announce.cookie.encode("ascii"))
    data = b"\r\n".join(lines) + b"\r\n\r\n\r\n"
    if len(data) > limits.LAN_PACKET_BYTES:
        raise ValueError(f"{len(announce.hashes)} info hashes do not fit into one packet")
    return data


FITTING: Final = (limits.LAN_PACKET_BYTES - 200) // 52
"Info hashes that fit into one packet whatever else stands in it."


def decode(data: bytes | memoryview) -> LanAnnounce:
    """Read a datagram. What is unknown in it is passed over (BEP 14), and so is a hash that is none.

    Raises FormatError for what is no announce: another first line, no port, no info hash.
    """
    if len(data) > limits.LAN_RECEIVED_BYTES:
        raise FormatError(f"{len(data)} bytes", where="LSD")
    first, *lines = bytes(data).split(b"\n")
    if first.strip() != _HEAD:
        raise FormatError("not an announce", where="LSD")
    port = 0
    cookie = ""
    hashes: dict[bytes, None] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        name, value = name.strip().lower(), value.strip()
        if name == b"infohash" and len(hashes) < limits.LAN_HASHES and _HASH.fullmatch(value) is not None:
            hashes[bytes.fromhex(value.decode("ascii"))] = None
        elif name == b"port" and _PORT.fullmatch(value) is not None:
            port = int(value)
        elif name == b"cookie":
            cookie = value[:_COOKIE_CHARS].decode("ascii", "replace")
    if not 0 < port <= 65535:
        raise FormatError("no port", where="LSD")
    if not hashes:
        raise FormatError("no info hash", where="LSD")
    return LanAnnounce(port, tuple(hashes), cookie)


class LanBudget:
    """How many packets may go out: one a minute in the long run, whatever they tell of."""

    __slots__ = ("_at", "_tokens")

    def __init__(self) -> None:
        self._tokens = float(_BURST)
        self._at: float | None = None

    def wait(self, now: float) -> float:
        """Seconds until a packet may go out."""
        if self._at is not None:
            self._tokens = min(float(_BURST), self._tokens + (now - self._at) / 60.0)
        self._at = now
        return 0.0 if self._tokens >= 1.0 else (1.0 - self._tokens) * 60.0

    def take(self) -> None:
        self._tokens -= 1.0


class LanSchedule:
    """Which torrents the next packet tells of: each every five minutes where there is room, new ones first.

    A packet has as many info hashes as fit. There is one packet a minute in the long run, so where a session has more
    torrents than that carries they take turns. Folders that are kept the same have a schedule of their own, since
    their packets are others, and share the budget.
    """

    __slots__ = ("_budget", "_queue")

    def __init__(self, budget: LanBudget | None = None) -> None:
        self._queue: OrderedDict[str, float] = OrderedDict()
        "When each torrent is due, the next first."
        self._budget = budget if budget is not None else LanBudget()

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, key: str, now: float) -> None:
        """Announce a torrent soon: it is new, or goes on after a pause."""
        if self._queue.get(key, now + INTERVAL) > now + _GATHER:
            self._queue[key] = now + _GATHER
            self._queue.move_to_end(key, last=False)

    def remove(self, key: str) -> None:
        self._queue.pop(key, None)

    def next_at(self, now: float) -> float | None:
        """When the next packet may go out; None while there is nothing to tell of."""
        if not self._queue:
            return None
        due = next(iter(self._queue.values()))
        wait = self._budget.wait(now)
        return max(due, now + wait) if wait else due

    def take(self, now: float, hashes: Callable[[str], Sequence[bytes]]) -> tuple[bytes, ...]:
        """The info hashes of the next packet; none where it is not due. `hashes` gives those of a torrent, none for
        one that is not to be announced now.
        """
        if self._budget.wait(now):
            return ()
        packet: list[bytes] = []
        for _ in range(min(_LOOKED_AT, len(self._queue))):
            key, due = next(iter(self._queue.items()))
            if due > now:
                break
            found = hashes(key)
            if len(packet) + len(found) > FITTING:
                break
            packet += found
            self._queue[key] = now + INTERVAL
            self._queue.move_to_end(key)
        if packet:
            self._budget.take()
        return tuple(packet)


class LanReceiver:
    """What comes in: announces of others that may be believed, as many as a sane network has."""

    __slots__ = ("_all", "_hosts", "_minute", "_own", "cookie", "dropped")

    def __init__(self, cookie: str) -> None:
        self.cookie = cookie
        self._own: deque[str] = deque(maxlen=_OWN_COOKIES)
        "Cookies that stood in one packet of ours alone."
        self.dropped = 0
        "Datagrams above the limits."
        self._minute = float("-inf")
        self._all = 0
        self._hosts: dict[str, int] = {}

    def sent(self, cookie: str) -> None:
        """A packet of ours has this cookie."""
        self._own.append(cookie)

    def receive(self, host: str, data: bytes | memoryview, now: float) -> LanAnnounce | None:
        """An announce of somebody else; None for our own and for floods. Raises FormatError."""
        if now - self._minute >= 60.0:
            self._minute = now
            self._all = 0
            self._hosts.clear()
        count = self._hosts.get(host, 0)
        full = host not in self._hosts and len(self._hosts) >= limits.LAN_HOSTS
        if (
            full or count >= limits.LAN_PACKETS_PER_MINUTE_PER_HOST or self._all >= limits.LAN_PACKETS_PER_MINUTE
        ):
            self.dropped += 1
            return None
        self._hosts[host] = count + 1
        self._all += 1
        announce = decode(data)
        own = announce.cookie and (announce.cookie == self.cookie or announce.cookie in self._own)
        return None if own else announce
