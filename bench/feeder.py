"""Many slow seeds in one process: raw peer wire, each peer at its own rate, never over 1460 bytes a segment.

`python feeder.py CONFIG`, where CONFIG is JSON: torrent (v1), data, peers, slowest and fastest in bytes a second. It
prints one JSON line with the endpoints, then serves until stdin ends. Every peer listens at its own loopback address,
has everything, unchokes at once and answers requests in order.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import mmap
import socket
import struct
import sys
from collections import deque
from pathlib import Path
from typing import Any

SEGMENT = 1460
TICK = 0.005
HEADER = struct.Struct(">IBII")


def info_of(torrent: bytes) -> tuple[bytes, int, int]:
    """Info hash, piece length and size of a one-file v1 torrent, read with the few lines of bencode it takes."""

    def value(at: int) -> tuple[Any, int]:
        lead = torrent[at : at + 1]
        if lead == b"i":
            end = torrent.index(b"e", at)
            return int(torrent[at + 1 : end]), end + 1
        if lead in (b"l", b"d"):
            items, at = [], at + 1
            while torrent[at : at + 1] != b"e":
                item, at = value(at)
                items.append(item)
            return (items if lead == b"l" else dict(zip(items[::2], items[1::2], strict=True))), at + 1
        colon = torrent.index(b":", at)
        end = colon + 1 + int(torrent[at:colon])
        return torrent[colon + 1 : end], end

    start = torrent.index(b"4:info") + 6
    info, end = value(start)
    return hashlib.sha1(torrent[start:end]).digest(), info[b"piece length"], info[b"length"]


class SlowPeer(asyncio.Protocol):
    def __init__(self, feeder: Feeder, number: int, rate: float) -> None:
        self.feeder = feeder
        self.number = number
        self.rate = rate
        self.credit = 0.0
        self.received = bytearray()
        self.greeted = False
        self.out: deque[memoryview] = deque()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        feeder = self.feeder
        count = -(-feeder.size // feeder.piece_length)
        bits = bytearray(((1 << count) - 1 << (-count % 8)).to_bytes((count + 7) // 8, "big"))
        transport.write(
            b"\x13BitTorrent protocol" + bytes(8) + feeder.info_hash + b"-SL0001-%012d" % self.number
            + struct.pack(">IB", 1 + len(bits), 5) + bits + b"\0\0\0\1\1"
        )
        feeder.active[self.number] = self

    def data_received(self, data: bytes) -> None:
        received = self.received
        received += data
        at = 0
        if not self.greeted:
            if len(received) < 68:
                return
            self.greeted = True
            at = 68
        while len(received) - at >= 4:
            length = int.from_bytes(received[at : at + 4], "big")
            if len(received) - at < 4 + length:
                break
            if length == 13 and received[at + 4] == 6:
                piece, begin, size = struct.unpack_from(">III", received, at + 5)
                start = piece * self.feeder.piece_length + begin
                self.out.append(memoryview(HEADER.pack(9 + size, 7, piece, begin)))
                self.out.append(self.feeder.data[start : start + size])
            elif length == 13 and received[at + 4] == 8:
                self.cancel(*struct.unpack_from(">III", received, at + 5))
            at += 4 + length
        del received[:at]

    def cancel(self, piece: int, begin: int, size: int) -> None:
        """Take an answer back that has not begun to go out."""
        header = HEADER.pack(9 + size, 7, piece, begin)
        for index, part in enumerate(self.out):
            if len(part) == len(header) and part == header and index + 1 < len(self.out):
                del self.out[index]
                del self.out[index]
                return

    def feed(self, seconds: float) -> None:
        """Send what the rate allows, in segments."""
        if not self.out or self.transport is None:
            self.credit = 0.0
            return
        self.credit = min(self.credit + self.rate * seconds, 4.0 * SEGMENT)
        while self.credit >= SEGMENT and self.out:
            parts, room = [], SEGMENT
            while room and self.out:
                part = self.out[0]
                parts.append(part[:room])
                if len(part) > room:
                    self.out[0] = part[room:]
                    room = 0
                else:
                    room -= len(part)
                    self.out.popleft()
            self.transport.write(b"".join(parts))
            self.credit -= SEGMENT - room
            self.feeder.sent += SEGMENT - room

    def connection_lost(self, error: Exception | None) -> None:
        self.feeder.active.pop(self.number, None)
        self.out.clear()


class Feeder:
    def __init__(self, config: dict[str, Any]) -> None:
        self.info_hash, self.piece_length, self.size = info_of(Path(config["torrent"]).read_bytes())
        with Path(config["data"]).open("rb") as file:
            self.data = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
        self.config = config
        self.active: dict[int, SlowPeer] = {}
        self.sent = 0

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        count, slowest, fastest = (self.config[key] for key in ("peers", "slowest", "fastest"))
        endpoints = []
        for number in range(count):
            rate = slowest + (fastest - slowest) * number / max(1, count - 1)
            listener = socket.socket()
            # Accepted sockets inherit the segment size; loopback would otherwise use 64 KiB.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
            listener.bind((f"127.0.1.{number + 1}", 0))
            endpoints.append(listener.getsockname())
            await loop.create_server(lambda number=number, rate=rate: SlowPeer(self, number, rate), sock=listener)
        print(json.dumps({"event": "ready", "endpoints": endpoints}), flush=True)
        ended = asyncio.Event()
        loop.add_reader(sys.stdin.fileno(), ended.set)
        last = loop.time()
        while not ended.is_set():
            await asyncio.sleep(TICK)
            now = loop.time()
            for peer in list(self.active.values()):
                peer.feed(now - last)
            last = now
        print(json.dumps({"event": "fed", "sent": self.sent}), flush=True)


if __name__ == "__main__":
    asyncio.run(Feeder(json.loads(sys.argv[1])).run())
