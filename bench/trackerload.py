"""Load for a UDP tracker: announces of many peers from many loopback addresses, as fast as the tracker answers.

A child process of bench/tracker.py. It must not be what is measured: every datagram lies ready in memory with its
own source address (IP_PKTINFO), for which a connection id was fetched before, and one system call sends or receives a
batch of them.
"""

from __future__ import annotations

import ctypes
import json
import random
import socket
import struct
import sys
import time
from collections.abc import Sequence

BATCH = 64
SLOT = 2048
WINDOW = 192
"Requests on their way at most: enough to keep a tracker busy, few enough for a socket buffer of default size."
PAUSE = 0.0002
_HEADER = struct.Struct("QI4xQQQQi4xI4x")
_CONTROL = struct.Struct("QiiI4s4s4x")
_ANNOUNCE = struct.Struct(">8sII20s20sQQQIIIiH")
Row = tuple[bytes, bytes]
"The address it comes from, and the datagram."

libc = ctypes.CDLL(None, use_errno=True)


class Messages:
    """Messages for sendmmsg or recvmmsg, in memory that stays where it is."""

    def __init__(self, count: int, slot: int, name: bytes, *, control: bool) -> None:
        self.data = bytearray(count * slot)
        self.names = bytearray(name * count)
        self.headers = bytearray(count * _HEADER.size)
        iov, controls = bytearray(count * 16), bytearray(count * _CONTROL.size)
        self.control = controls
        self.iov = iov
        self.keep = [
            (ctypes.c_char * len(one)).from_buffer(one) for one in (self.data, self.names, iov, controls, self.headers)
        ]
        at, names, vectors, extra, self.address = (ctypes.addressof(one) for one in self.keep)
        for i in range(count):
            struct.pack_into("QQ", iov, 16 * i, at + slot * i, slot)
            _HEADER.pack_into(
                self.headers, _HEADER.size * i, names + 16 * i, 16, vectors + 16 * i, 1,
                extra + _CONTROL.size * i if control else 0, _CONTROL.size if control else 0, 0, 0,
            )
        self.sizes = memoryview(self.headers).cast("I")


class Load:
    def __init__(self, target: tuple[str, int], seed: int) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("0.0.0.0", 0))
        self.sock.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self.sock.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
        self.rng = random.Random(seed)
        self.name = struct.pack("=H", socket.AF_INET) + struct.pack(">H", target[1]) + socket.inet_aton(target[0])
        self.name += bytes(8)
        self.into = Messages(BATCH, SLOT, bytes(16), control=False)

    def ready(self, rows: Sequence[Row]) -> Messages:
        slot = max(len(data) for _, data in rows)
        out = Messages(len(rows), slot, self.name, control=True)
        for i, (host, data) in enumerate(rows):
            out.data[slot * i : slot * i + len(data)] = data
            struct.pack_into("Q", out.iov, 16 * i + 8, len(data))
            _CONTROL.pack_into(out.control, _CONTROL.size * i, 28, socket.IPPROTO_IP, 8, 0, host, bytes(4))
        return out

    def send(self, out: Messages, at: int, count: int) -> int:
        where = ctypes.c_void_p(out.address + _HEADER.size * at)
        return max(0, int(libc.sendmmsg(self.sock.fileno(), where, count, 0)))

    def receive(self) -> int:
        where = ctypes.c_void_p(self.into.address)
        return max(0, int(libc.recvmmsg(self.sock.fileno(), where, BATCH, socket.MSG_DONTWAIT, None)))

    def connect(self, hosts: list[bytes], seconds: float = 30.0) -> dict[bytes, bytes]:
        """Connection ids by source address. The transaction id says which request a reply is for."""
        found: dict[bytes, bytes] = {}
        end = time.perf_counter() + seconds
        while missing := [(n, host) for n, host in enumerate(hosts) if host not in found]:
            rows = [(host, struct.pack(">QII", 0x41727101980, 0, n)) for n, host in missing]
            out = self.ready(rows)
            for start in range(0, len(rows), BATCH):
                self.send(out, start, min(BATCH, len(rows) - start))
                for _ in range(20):
                    time.sleep(PAUSE)
                    got = self.receive()
                    for i in range(got):
                        action, number, connection = struct.unpack_from(">II8s", self.into.data, SLOT * i)
                        if action == 0 and number < len(hosts):
                            found[hosts[number]] = connection
                    if got == BATCH or rows[min(start + BATCH, len(rows)) - 1][0] in found:
                        break
            if time.perf_counter() > end:
                raise SystemExit("the tracker does not answer")
        return found

    def prepare(self, hashes: list[bytes], peers: int, hosts: int, even: bool) -> list[Row]:
        """One announce of each of `peers` peers; swarm number n is as popular as 1 / n, or each has one peer."""
        places = [bytes((127, 1 + n // 250 // 250, 1 + n // 250 % 250, 1 + n % 250)) for n in range(hosts)]
        ids = self.connect(places)
        rng = self.rng
        chosen = hashes if even else rng.choices(hashes, [1 / (n + 1) for n in range(len(hashes))], k=peers)
        rows = []
        for number, info_hash in enumerate(chosen):
            host = places[rng.randrange(hosts)]
            left = 0 if rng.random() < 0.4 else 1000
            rows.append((host, _ANNOUNCE.pack(
                ids[host], 1, number, info_hash, b"-XX0100-" + rng.randbytes(12), 0, left, 0, 0, 0, rng.getrandbits(32),
                50, rng.randrange(1024, 65536),
            )))
        return rows

    def run(self, out: Messages, total: int, seconds: float = 0.0) -> dict[str, float]:
        """Send everything in turn for so long (0: each once); what came back."""
        at = waiting = good = bad = size = lost = 0
        begin = heard = now = time.perf_counter()
        end = begin + seconds if seconds else begin + 60.0
        sizes, data, stride = self.into.sizes, self.into.data, SLOT
        while now < end and (seconds or at < total or waiting):
            if waiting <= WINDOW - BATCH and (seconds or at < total):
                place = at % total
                sent = self.send(out, place, min(BATCH, total - place))
                at += sent
                waiting += sent
            got = self.receive()
            now = time.perf_counter()
            if got:
                heard = now
                waiting = max(0, waiting - got)
                right = bytes(data[3 : got * stride : stride]).count(1)
                good += right
                bad += got - right
                size += sum(sizes[14 : 16 * got : 16])
            elif now - heard > 0.05 and waiting:
                lost += waiting
                waiting = 0
            if waiting > WINDOW - BATCH and got < BATCH:
                time.sleep(PAUSE)
        took = now - begin
        return {"seconds": took, "replies": good, "errors": bad, "bytes": size, "lost": lost, "rate": good / took}


def main() -> None:
    words = json.loads(sys.argv[1])
    load = Load((words["host"], words["port"]), words.get("seed", 1))
    with open(words["hashes"]) as file:
        hashes = [bytes.fromhex(one) for one in file.read().split()]
    rows = load.prepare(hashes, words["peers"], words["hosts"], words.get("even", False))
    out = load.ready(rows)
    say({"event": "filled", **load.run(out, len(rows))})
    for line in sys.stdin:
        say({"event": "ran", **load.run(out, len(rows), json.loads(line)["seconds"])})


def say(event: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
