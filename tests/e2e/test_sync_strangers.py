"""Strangers, and one who has a link, at the door of a real daemon whose folder two devices keep the same meanwhile."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from fakes import Deaf
from rosterbed import keys_of
from syncdaemons import Daemon, Group
from wildbach.base.errors import WildbachError
from wildbach.base.ids import Endpoint
from wildbach.net.meeting import Meeting
from wildbach.net.tcp import TcpTransport
from wildbach.protocol.peer_id import new_peer_id
from wildbach.protocol.sync.links import SyncLink
from wildbach.protocol.sync.opening import Caller, MeetingKeys, Secrets, greeting
from wildbach.runtime.tasks import Scope

pytestmark = pytest.mark.slow
MIB = 1 << 20


def resident(daemon: Daemon) -> int:
    assert daemon.process is not None
    fields = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(fields.partition("VmRSS:")[2].split()[0]) * 1024


def files_open(daemon: Daemon) -> int:
    assert daemon.process is not None
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


class Crowd:
    """Many who call one place again and again."""

    def __init__(self, at: Endpoint, token: bytes) -> None:
        self.at = at
        self.token = token
        self.calls = 0
        self.overheard = greeting(MeetingKeys.of(token), new_peer_id(Random(1)))

    async def play(self, over: Callable[[], bool]) -> None:
        acts: list[tuple[Callable[[Random], Awaitable[None]], int]] = [
            (self.silent, 40), (self.slowly, 20), (self.garbage, 10), (self.replays, 10), (self.stops_halfway, 80),
            (self.by_the_link, 10)]
        async with Scope("crowd") as scope:
            for act, count in acts:
                for number in range(count):
                    scope.spawn("stranger", self._again(act, Random(number), over))
            while not over():
                await asyncio.sleep(0.1)
            scope.cancel()

    async def _again(self, act: Callable[[Random], Awaitable[None]], random: Random, over: Callable[[], bool]) -> None:
        while not over():
            self.calls += 1
            with suppress(OSError, WildbachError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(4):
                    await act(random)
            await asyncio.sleep(0.2 + random.random())

    @staticmethod
    async def _until_left(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(65536):
                pass
        finally:
            writer.close()

    async def _says(self, *said: bytes, pause: float = 0.0) -> None:
        reader, writer = await asyncio.open_connection(self.at.host, self.at.port)
        try:
            for part in said:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
        except BaseException:
            writer.close()
            raise
        await self._until_left(reader, writer)

    async def silent(self, random: Random) -> None:
        await self._says()

    async def slowly(self, random: Random) -> None:
        await self._says(*(self.overheard[at : at + 1] for at in range(60)), pause=0.3)

    async def garbage(self, random: Random) -> None:
        await self._says(random.randbytes(random.choice((1, 96, 200, 70_000))))

    async def replays(self, random: Random) -> None:
        await self._says(self.overheard, random.randbytes(3000))

    async def stops_halfway(self, random: Random) -> None:
        """It has the link, so it is answered, and says no more, or something else."""
        said = greeting(MeetingKeys.of(self.token), new_peer_id(random))
        await self._says(said, *((random.randbytes(100),) if random.random() < 0.3 else ()))

    async def by_the_link(self, random: Random) -> None:
        """All of the opening, and then nothing, or what no frame is."""
        connection = await TcpTransport().dial(self.at)
        keys = Secrets[str]().put("link", self.token)
        static = keys_of(f"s{random.random()}").static
        met = await Meeting(connection, Caller("link", keys, static, new_peer_id(random))).over()
        try:
            met.connection.start(Deaf())
            if random.random() < 0.7:
                met.connection.send(random.randbytes(random.choice((10, 50_000))))
            await asyncio.sleep(3)
        finally:
            met.connection.close()


@contextmanager
def crowd(at: Endpoint, token: bytes) -> Iterator[Crowd]:
    over = threading.Event()
    made = Crowd(at, token)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(made.play(over.is_set))
        except BaseException as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield made
    finally:
        over.set()
        thread.join()
    assert not failed


def test_strangers_at_the_door_hold_up_nobody_and_fill_nothing(group: Group) -> None:
    a, b = group.pair()
    (a.files / "before").write_text("x")
    group.same()
    link = SyncLink.parse(a.share(reusable=True))
    host, _, port = a.command.env["WILDBACH_CONNECTIONS_LISTEN"].rpartition(":")
    b.stop()
    memory, handles = resident(a), files_open(a)
    with crowd(Endpoint(host, int(port)), link.token.raw) as strangers:
        (a.files / "meanwhile").write_text("x")
        b.start()
        group.same(seconds=40)
        (b.files / "back").write_bytes(os.urandom(3 * MIB))
        group.same(seconds=40)
        c = group.add("c")
        c.join(a.share(), seconds=40)
        assert set(group.same(seconds=40)) == {"before", "meanwhile", "back"}
        assert resident(a) - memory < 64 * MIB, resident(a) - memory
        assert files_open(a) - handles < 300
    assert strangers.calls > 150
    assert len(a.folder.devices) == 3
