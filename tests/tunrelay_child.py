"""A link between two tun devices, as a process of its own: it reads IP packets from one, lets them wait as long as the
link would, and writes them to the other.

Run as `python tunrelay_child.py '{"devices": [NAME, NAME], "rate": 0, "queue": 1, "delay": 0.01, ...}'`; the keys are
those of `tests.tunrelay.Conditions`. It tells `ready` once the devices are there. The command `seen`, a JSON line on
stdin, is answered with what the link carried so far; `watch` (seconds) begins anew, and is answered after that time.
The end of the input ends the program.
"""

from __future__ import annotations

import fcntl
import heapq
import json
import os
import random
import select
import struct
import sys
import time
from collections import Counter
from typing import Any

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_PROTOCOL = {6: "tcp", 17: "udp"}
_AT_ONCE = 64
"Packets of one direction that are read before what is due is written."


def device(name: str) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return fd


def tell(event: str, **facts: object) -> None:
    sys.stdout.write(json.dumps({"event": event, "t": time.monotonic(), **facts}) + "\n")
    sys.stdout.flush()


class Way:
    """One direction. The queue is a promise of when the line is free; a packet that would wait longer is dropped."""

    def __init__(self, source: int, target: int, words: dict[str, Any], number: int) -> None:
        self.source = source
        self.target = target
        self._chance = random.Random(f"{words['seed']}:{number}").random
        self._second = words["rate"]
        self._queue = words["queue"]
        self._delay = words["delay"]
        self._loss, self._reorder, self._duplicate = words["loss"], words["reorder"], words["duplicate"]
        self._hold = words["hold"]
        self._free = 0.0
        "When the line has sent what it has."
        self.forget()

    def forget(self) -> None:
        self._carried: Counter[str] = Counter()
        self._what: Counter[str] = Counter()
        self._waits: Counter[int] = Counter()

    def seen(self) -> dict[str, Any]:
        """Bytes of IP that arrived by protocol, packets that did not by cause, and milliseconds of waiting."""
        return {"carried": dict(self._carried), **self._what, "waits": sorted(self._waits.items())}

    def came(self, packet: bytes, now: float) -> list[float]:
        """When it arrives; more than once where it is duplicated, never where it is lost."""
        leaves = now
        if self._second:
            wait = max(0.0, self._free - now)
            if wait > self._queue:
                self._what["dropped"] += 1
                return []
            self._waits[int(wait * 1000)] += 1
            leaves = self._free = now + wait + len(packet) / self._second
        chance = self._chance
        if self._loss and chance() < self._loss:
            self._what["lost"] += 1
            return []
        arrives = leaves + self._delay
        if self._reorder and chance() < self._reorder:
            self._what["late"] += 1
            arrives += self._hold
        if self._duplicate and chance() < self._duplicate:
            self._what["doubled"] += 1
            return [arrives, arrives]
        return [arrives]

    def arrived(self, packet: bytes) -> None:
        os.write(self.target, packet)
        self._carried[_PROTOCOL.get(packet[9], "other")] += len(packet)


class Relay:
    def __init__(self, ways: tuple[Way, Way]) -> None:
        self._ways = ways
        self._under_way: list[tuple[float, int, Way, bytes]] = []
        "When they arrive, and a number that keeps the order of those that arrive at once."
        self._number = 0
        self._since = time.monotonic()
        self._answer_at = float("inf")

    def run(self) -> None:
        """Until stdin ends."""
        stdin = sys.stdin.fileno()
        by_source = {way.source: way for way in self._ways}
        rest = b""
        while True:
            # select, since the timeout of epoll is in whole milliseconds.
            ready, _, _ = select.select([*by_source, stdin], [], [], self._pause())
            for fd in ready:
                if fd != stdin:
                    self._take(by_source[fd])
                    continue
                data = os.read(stdin, 4096)
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._asked(json.loads(line))
            self._give()

    def _pause(self) -> float | None:
        due = min(self._answer_at, self._under_way[0][0] if self._under_way else float("inf"))
        return None if due == float("inf") else max(0.0, due - time.monotonic())

    def _take(self, way: Way) -> None:
        for _ in range(_AT_ONCE):
            try:
                packet = os.read(way.source, 65535)
            except BlockingIOError:
                return
            for when in way.came(packet, time.monotonic()):
                self._number += 1
                heapq.heappush(self._under_way, (when, self._number, way, packet))

    def _give(self) -> None:
        now = time.monotonic()
        under_way = self._under_way
        while under_way and under_way[0][0] <= now:
            _, _, way, packet = heapq.heappop(under_way)
            way.arrived(packet)
        if now >= self._answer_at:
            self._answer_at = float("inf")
            self._answer(now)

    def _asked(self, words: dict[str, Any]) -> None:
        now = time.monotonic()
        if words["cmd"] == "seen":
            self._answer(now)
            return
        self._since, self._answer_at = now, now + words["seconds"]
        for way in self._ways:
            way.forget()

    def _answer(self, now: float) -> None:
        tell("seen", seconds=now - self._since, ways=[way.seen() for way in self._ways])


def main() -> None:
    words = json.loads(sys.argv[1])
    one, two = (device(name) for name in words["devices"])
    tell("ready")
    Relay((Way(one, two, words, 0), Way(two, one, words, 1))).run()


if __name__ == "__main__":
    main()
