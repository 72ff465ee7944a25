"""Nodes of a DHT, one at each endpoint: `python dht_child.py HOST:PORT ...`. They know each other, and keep what is
put.

It prints a line when all are bound, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from random import SystemRandom

from wildbach.base.ids import Endpoint
from wildbach.protocol.dht.node import Node
from wildbach.protocol.dht.security import make_id


class Bound(asyncio.DatagramProtocol):
    def __init__(self, at: Endpoint) -> None:
        self._loop = asyncio.get_running_loop()
        rng = SystemRandom()
        self.node = Node(make_id(at.host, rng), family=4, rng=rng, now=self._loop.time())
        self._transport: asyncio.DatagramTransport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # of datagrams
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.node.received(Endpoint(*addr[:2]), data, self._loop.time())
        self.flush()

    def _tick(self) -> None:
        self.node.tick(self._loop.time())
        self.flush()

    def flush(self) -> None:
        assert self._transport is not None
        for remote, data in self.node.outgoing:
            self._transport.sendto(data, tuple(remote))
        self.node.outgoing.clear()
        if self._timer is not None:
            self._timer.cancel()
        due = self.node.next_tick
        self._timer = None if due is None else self._loop.call_at(due, self._tick)


async def main(places: list[Endpoint]) -> None:
    nodes = []
    for at in places:
        _, bound = await asyncio.get_running_loop().create_datagram_endpoint(partial(Bound, at), local_addr=at)
        nodes.append(bound)
    for bound in nodes:
        bound.node.bootstrap(places, asyncio.get_running_loop().time())
        bound.flush()
    print("bound", flush=True)
    await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(main([Endpoint(host, int(port)) for host, port in (each.split(":") for each in sys.argv[1:])]))
