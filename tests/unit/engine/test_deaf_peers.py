"""A peer that reads nothing of what it is told is left before it fills the memory."""

from __future__ import annotations

import asyncio
import socket

import pytest

from fakes import NoOwner, peer, wire
from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.engine.peer import Peer
from wildbach.net.tcp import TcpTransport
from wildbach.net.transport import Connection
from wildbach.protocol.ext.handshake import Extension, ExtHandshake
from wildbach.protocol.wire import codec


class Owner(NoOwner):
    def __init__(self) -> None:
        self.ends: list[Exception | None] = []

    def ended(self, peer: Peer, error: Exception | None) -> None:
        self.ends.append(error)


def test_who_never_reads_is_left_and_who_reads_late_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEND_CONTROL_BYTES", 1 << 20)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        came: asyncio.Queue[Connection] = asyncio.Queue()
        listener = await TcpTransport().listen(Endpoint("127.0.0.1", 0), came.put_nowait)
        news = codec.haves(range(2000))

        async def caller(number: int) -> tuple[socket.socket, Peer, Owner]:
            sock = socket.socket()
            sock.setblocking(False)
            await loop.sock_connect(sock, tuple(listener.endpoint))
            owner = Owner()
            made = Peer(number, await came.get(), owner, outgoing=False, now=0.0)
            made.connection.start(made)
            return sock, made, owner

        deaf, told, owner = await caller(1)
        most = 0
        async with asyncio.timeout(20):
            while not told.closing:
                told.send(news)
                most = max(most, told.connection.queued)
                await asyncio.sleep(0)
            while not owner.ends:
                await asyncio.sleep(0)
        assert "does not read" in str(owner.ends[0])
        assert most <= limits.SEND_CONTROL_BYTES + len(news)
        deaf.close()

        late, told, owner = await caller(2)
        sent = 0
        async with asyncio.timeout(20):
            while told.connection.queued < limits.SEND_CONTROL_BYTES // 2:
                told.send(news)
                sent += len(news)
            while sent:
                sent -= len(await loop.sock_recv(late, 1 << 16))
        assert not told.closing and owner.ends == []
        told.close()
        late.close()
        listener.close()
        await asyncio.sleep(0)

    asyncio.run(main())


def test_extension_messages_count_as_well_and_one_long_message_is_sent() -> None:
    one = peer(1)
    one.says = ExtHandshake(ids={b"ut_metadata": 3})
    one.send(bytes(3 * limits.SEND_CONTROL_BYTES))
    assert len(wire(one).sent) == 3 * limits.SEND_CONTROL_BYTES and not one.closing
    wire(one).queued = limits.SEND_CONTROL_BYTES + 1
    one.extend(Extension.UT_METADATA, b"de")
    assert one.closing
