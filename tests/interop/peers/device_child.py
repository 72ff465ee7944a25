"""A device behind a router, as far as meetings by uTP go: `python device_child.py PORT REMOTE SECONDS ALSO_CALLS`.

It accepts at PORT and, unless ALSO_CALLS is 0, meets REMOTE for so many seconds. It says hello on what it gets, and
tells as JSON lines what it heard.
"""

from __future__ import annotations

import asyncio
import json
import sys
from random import SystemRandom

from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.engine.devices import DeviceRoads
from wildbach.engine.roads import Roads
from wildbach.engine.settings import Settings
from wildbach.net.transport import Connection, Landing
from wildbach.net.udp import Datagrams
from wildbach.net.utp import UtpTransport


def tell(**fact: object) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


class Hears:
    missing = 0

    def __init__(self, connection: Connection, way: str) -> None:
        self.landing: Landing | None = None
        self._connection = connection
        self._way = way
        connection.start(self)
        connection.send(b"hello")

    def received(self, data: memoryview) -> int:
        tell(event="heard", way=self._way, text=bytes(data).decode(), remote=str(self._connection.remote))
        return len(data)

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        pass


async def main(port: int, remote: Endpoint, seconds: float, calls: bool) -> None:
    datagrams = Datagrams()
    datagrams.open([Endpoint("0.0.0.0", port)])
    utp = UtpTransport(datagrams)
    kept: list[Hears] = []
    await utp.listen(Endpoint("0.0.0.0", 0), lambda connection: kept.append(Hears(connection, "called")))
    roads = DeviceRoads(
        Roads({"utp": utp}, Settings, SystemRandom()), utp=utp, tcp=None, refuses=lambda endpoint: False,
        places=tuple)
    tell(event="started")
    if calls:
        try:
            kept.append(Hears(await roads.meet(remote, seconds), "met"))
        except NetworkError as error:
            tell(event="failed", text=error.message)
    await asyncio.to_thread(sys.stdin.readline)
    utp.close()
    datagrams.close()


if __name__ == "__main__":
    host, _, at = sys.argv[2].rpartition(":")
    asyncio.run(main(int(sys.argv[1]), Endpoint(host, int(at)), float(sys.argv[3]), sys.argv[4] != "0"))
