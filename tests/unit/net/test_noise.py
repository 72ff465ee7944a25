"""A connection of Noise records, beyond what the contract of connections asks (`tests/unit/testing/test_contracts`)."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from wildbach.base.errors import NetworkError, RemoteError
from wildbach.base.ids import Endpoint
from wildbach.net.meeting import greeted
from wildbach.net.noise import NoiseConnection
from wildbach.net.tcp import TcpTransport
from wildbach.net.transport import Connection
from wildbach.protocol.noise import Ciphers, CipherState, RecordSealer
from wildbach.testing.loop import sim, simloop
from wildbach.testing.meeting import NoiseTransport
from wildbach.testing.network import Network
from wildbach.testing.wire import Wire

KEYS = bytes(range(32)), bytes(range(32, 64))


def ciphers(initiator: bool) -> Ciphers:
    first, second = (CipherState(key) for key in KEYS)
    return Ciphers(first, second) if initiator else Ciphers(second, first)


def records(*parts: bytes) -> bytes:
    """What the initiator would send first."""
    sealer = RecordSealer(CipherState(KEYS[0]))
    out = b""
    for part in parts:
        sealed = bytearray(sealer.size(len(part)))
        sealer.seal(memoryview(part), memoryview(sealed))
        out += sealed
    return out


async def stream(network: Network) -> tuple[Connection, Connection]:
    one, other = network.host(), network.host()
    accepted: asyncio.Future[Connection] = simloop().create_future()
    listener = await other.transport.listen(Endpoint(other.address, 0), accepted.set_result)
    near = await one.transport.dial(listener.endpoint)
    far = await accepted
    listener.close()
    return near, far


@pytest.mark.parametrize("cut", [0, 1, 2, 40, 70_050])
def test_what_came_behind_the_handshake_comes_first(cut: int) -> None:
    async def main() -> None:
        raw, far = await stream(Network())
        said = records(b"early", bytes(70_000), b"late")
        connection = NoiseConnection(far, ciphers(False), said[:cut])
        raw.start(Wire(raw))
        raw.send(said[cut:])
        await asyncio.sleep(1.0)
        wire = Wire(connection)
        assert await wire.read(70_009) == b"early" + bytes(70_000) + b"late"
        wire.close()
        raw.close()

    sim(1, until=60).run(main())


def test_a_connection_that_ended_before_it_was_started_says_so() -> None:
    async def main() -> None:
        raw, far = await stream(Network())
        connection = NoiseConnection(far, ciphers(False))
        far.close(NetworkError("gone"))
        await asyncio.sleep(1.0)
        wire = Wire(connection)
        await wire.wait_closed()
        assert str(wire.error) == "gone" and connection.closing
        raw.close()

    sim(2, until=60).run(main())


@pytest.mark.parametrize("said", [
    b"\x00\x20" + bytes(32), b"\x00\x10" + bytes(16), b"\x00\x00" + bytes(20), records(b"x")[:-1] + b"y",
    records(b"twice") * 2,
])
def test_what_does_not_decrypt_ends_it_and_nothing_false_is_read(said: bytes) -> None:
    async def main() -> None:
        raw, far = await stream(Network())
        wire = Wire(NoiseConnection(far, ciphers(False)))
        raw.start(Wire(raw))
        raw.send(said)
        assert await wire.read_all() == b""  # what one read brings is handed on together, or not at all
        assert isinstance(wire.error, RemoteError) and wire.error.code == "noise"
        raw.close()

    sim(3, until=60).run(main())


def test_the_connection_below_is_told_how_much_finishes_a_record() -> None:
    async def main() -> None:
        raw, far = await stream(Network())
        connection = NoiseConnection(far, ciphers(False))
        wire = Wire(connection)
        raw.start(Wire(raw))
        said = records(bytes(60_000))
        raw.send(said[:1000])
        await asyncio.sleep(0.5)
        assert connection.missing == len(said) - 1000
        raw.send(said[1000:])
        assert await wire.read(60_000) == bytes(60_000)
        assert connection.missing == 0
        wire.close()
        raw.close()

    sim(4, until=60).run(main())


def test_a_buffer_lent_to_it_is_not_changed_and_comes_back_at_once() -> None:
    async def main() -> None:
        raw, far = await stream(Network())
        connection = NoiseConnection(raw, ciphers(True))
        other = Wire(NoiseConnection(far, ciphers(False)), 8 << 20)
        connection.start(Wire(connection))
        buffer = bytearray(Random(1).randbytes(3_000_000))
        before = bytes(buffer)
        freed: list[int] = []
        connection.send(memoryview(buffer), lambda: freed.append(1))
        assert freed == [1] and buffer == before
        buffer[:] = bytes(len(buffer))
        assert await other.read(len(before)) == before
        connection.close()
        connection.send(b"late", lambda: freed.append(2))
        assert freed == [1, 2]
        other.close()

    sim(5, until=60).run(main())


def test_nobody_who_greets_is_left_in_time() -> None:
    async def main() -> None:
        raw, far = await stream(Network())
        raw.start(Wire(raw))
        with pytest.raises(NetworkError) as late:
            await greeted(far, 5.0)
        assert late.value.code == "timed_out" and simloop().time() < 6.0
        raw.close()

    sim(6, until=60).run(main())


def test_an_opening_over_real_tcp_carries_a_stream_both_ways() -> None:
    async def main() -> None:
        transport = NoiseTransport(TcpTransport(), Random(1))
        accepted: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        listener = await transport.listen(Endpoint("127.0.0.1", 0), accepted.set_result)
        near = await transport.dial(listener.endpoint)
        far = await accepted
        assert near.kind == far.kind == "tcp+noise"
        one, other = Wire(near, 16 << 20), Wire(far, 16 << 20)
        data = Random(2).randbytes(5_000_000)
        one.write(data)
        other.write(data[::-1])
        assert await other.read(len(data)) == data
        assert await one.read(len(data)) == data[::-1]
        near.close()
        await other.wait_closed()
        listener.close()
        await transport.close()

    asyncio.run(main())
