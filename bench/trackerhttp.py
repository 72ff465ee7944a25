"""Load for an HTTP tracker: announces of many peers, as fast as the tracker answers.

A child process of bench/tracker.py. Either every announce has a connection of its own, or connections are kept and
requests pipelined. Requests are built beforehand.
"""

from __future__ import annotations

import contextlib
import errno
import json
import random
import select
import socket
import sys
import time
from urllib.parse import quote_from_bytes

CONNECTIONS = 64
DEPTH = 16
"Requests on their way on a kept connection."
_MARK = b"8:interval"


def requests(hashes: list[bytes], peers: int, keep: bool) -> list[bytes]:
    rng = random.Random(5)
    out = []
    for info_hash in rng.choices(hashes, [1 / (n + 1) for n in range(len(hashes))], k=peers):
        left = 0 if rng.random() < 0.4 else 1000
        out.append((
            f"GET /announce?info_hash={quote_from_bytes(info_hash, safe='')}"
            f"&peer_id=-XX0100-{rng.randrange(10**12):012}&port={rng.randrange(1024, 65536)}&uploaded=0&downloaded=0"
            f"&left={left}&key={rng.getrandbits(32):08X}&numwant=50&compact=1&no_peer_id=1 HTTP/1.1\r\n"
            f"Host: tracker\r\nUser-Agent: bench\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n"
        ).encode())
    return out


class Load:
    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.poll = select.epoll()
        self.number = 0

    def dial(self, first: bytes) -> socket.socket:
        sock = socket.socket()
        sock.setblocking(False)
        # Addresses in turn, so that no pair of ports comes back while the tracker still remembers it.
        self.number += 1
        n = self.number
        sock.setsockopt(socket.IPPROTO_IP, 24, 1)
        sock.bind((f"127.{2 + n // 62500 % 200}.{1 + n // 250 % 250}.{1 + n % 250}", 0))
        error = sock.connect_ex(self.target)
        if error not in (0, errno.EINPROGRESS):
            raise OSError(error, "connect")
        with contextlib.suppress(BlockingIOError):
            sock.send(first)
        return sock

    def each_its_own(self, rows: list[bytes], seconds: float) -> dict[str, float]:
        begin = now = time.perf_counter()
        live: dict[int, tuple[socket.socket, list[bytes]]] = {}
        good = bad = at = 0
        while now < begin + seconds or live:
            while len(live) < CONNECTIONS and now < begin + seconds:
                sock = self.dial(rows[at % len(rows)])
                at += 1
                live[sock.fileno()] = (sock, [])
                self.poll.register(sock, select.EPOLLIN)
            for descriptor, _ in self.poll.poll(1.0):
                sock, parts = live[descriptor]
                try:
                    data = sock.recv(65536)
                except ConnectionError:
                    data = b""
                if data:
                    parts.append(data)
                    continue
                if _MARK in b"".join(parts):
                    good += 1
                else:
                    bad += 1
                del live[descriptor]
                sock.close()
            now = time.perf_counter()
        return {"replies": good, "errors": bad, "seconds": now - begin, "rate": good / (now - begin)}

    def kept(self, rows: list[bytes], seconds: float) -> dict[str, float]:
        begin = now = time.perf_counter()
        live: dict[int, tuple[socket.socket, list[int]]] = {}
        good = bad = at = 0
        for _ in range(CONNECTIONS // 4):
            sock = socket.create_connection(self.target)
            sock.setblocking(False)
            live[sock.fileno()] = (sock, [0])
            self.poll.register(sock, select.EPOLLIN | select.EPOLLOUT)
            sock.send(b"".join(rows[at : at + DEPTH]))
            at += DEPTH
            live[sock.fileno()][1][0] = DEPTH
            self.poll.modify(sock, select.EPOLLIN)
        while now < begin + seconds:
            for descriptor, _ in self.poll.poll(1.0):
                sock, waiting = live[descriptor]
                data = sock.recv(1 << 18)
                if not data:
                    return {"replies": 0, "errors": 1, "seconds": 0.0, "rate": 0.0}
                done = data.count(_MARK)
                good += done
                waiting[0] -= done
                if waiting[0] <= DEPTH // 2:
                    place = at % len(rows)
                    part = rows[place : place + DEPTH - waiting[0]]
                    at += len(part)
                    waiting[0] += len(part)
                    sock.send(b"".join(part))
            now = time.perf_counter()
        return {"replies": good, "errors": bad, "seconds": now - begin, "rate": good / (now - begin)}


def main() -> None:
    words = json.loads(sys.argv[1])
    with open(words["hashes"]) as file:
        hashes = [bytes.fromhex(one) for one in file.read().split()]
    load = Load((words["host"], words["port"]))
    rows = requests(hashes, words["peers"], words["keep"])
    say({"event": "filled"})
    for line in sys.stdin:
        run = load.kept if words["keep"] else load.each_its_own
        say({"event": "ran", **run(rows, json.loads(line)["seconds"])})


def say(event: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
