"""Hole punching (BEP 55) with libtorrent in each of the three parts: the peer in between, and both who meet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.folders import make_folder, make_torrent
from tests.interop.engines import add, address, heard, running_with, settings, until
from tests.interop.peers import lt
from tests.interop.peers.process import JsonProcess, lt_process
from tests.interop.peers.wire import Wire

from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.engine.options import AddOptions
from wildbach.net.tcp import TcpTransport
from wildbach.net.transport import Connection, Listener
from wildbach.protocol.ext import handshake, holepunch
from wildbach.protocol.ext.handshake import Extension
from wildbach.protocol.ext.holepunch import Kind, Message, Refusal
from wildbach.protocol.metainfo.document import Metainfo

pytestmark = [
    pytest.mark.foreign("libtorrent"),
    pytest.mark.skipif(lt.MISSING is not None, reason=str(lt.MISSING)),
]
UTP = {"enable_incoming_utp": True, "enable_outgoing_utp": True}


@pytest.fixture
def made(tmp_path: Path) -> tuple[Metainfo, Path, Path]:
    folder = make_folder(tmp_path / "source")
    metainfo = make_torrent(folder, "v1")
    path = tmp_path / "made.torrent"
    path.write_bytes(metainfo.to_bytes())
    return metainfo, path, folder


@pytest.fixture
def program(made: tuple[Metainfo, Path, Path]) -> Iterator[tuple[JsonProcess, Endpoint]]:
    """A libtorrent that seeds."""
    with lt_process(UTP, log=True) as process:
        at = Endpoint("127.0.0.1", process.wait("ready")["port"])
        add(process, made[1], made[2].parent, seed_mode=True, pex=True)
        process.wait("finished", "checked")
        yield process, at


def slowly(tmp_path: Path, at: Endpoint) -> AddOptions:
    """So that the connection has a reason to stay for some seconds."""
    return AddOptions(save_path=tmp_path / "got", peers=(at,), down_limit=150_000)


class Recorder:
    """Stands where uTP does: writes down whom it was told to call."""

    def __init__(self) -> None:
        self.called: list[Endpoint] = []

    async def dial(self, remote: Endpoint) -> Connection:
        self.called.append(remote)
        raise NetworkError("timed out")

    async def listen(self, at: Endpoint, accept: Callable[[Connection], None]) -> Listener:
        return await TcpTransport().listen(at, accept)


def spoken(wire: Wire) -> int:
    """The id that the other side wants for hole punching."""
    for kind, body in wire.messages():
        if kind == handshake.EXTENDED and body[0] == 0:
            return handshake.parse(body[1:]).id_of(Extension.UT_HOLEPUNCH)
    raise AssertionError("no handshake")


def say(wire: Wire, number: int, message: Message) -> None:
    wire.send(handshake.message(number, holepunch.encode(message)))


def told(wire: Wire) -> Message:
    for kind, body in wire.messages():
        if kind == handshake.EXTENDED and body[0] == Extension.UT_HOLEPUNCH:
            return holepunch.decode(body[1:])
    raise AssertionError("nothing")


def here(wire: Wire) -> Endpoint:
    return Endpoint(*wire.socket.getsockname())


def test_libtorrent_introduces_peers_that_ask_in_our_words(
    made: tuple[Metainfo, Path, Path], program: tuple[JsonProcess, Endpoint],
) -> None:
    swarm = made[0].info.hashes.swarms[0]
    _, at = program
    first, second = b"-WB0100-one000000000", b"-WB0100-two000000000"
    with Wire(at, swarm, peer_id=first) as one, Wire(at, swarm, peer_id=second) as two:
        number = spoken(one)
        assert number and spoken(two) == number
        say(one, number, Message(Kind.RENDEZVOUS, here(two)))
        assert told(one) == Message(Kind.CONNECT, here(two))
        assert told(two) == Message(Kind.CONNECT, here(one))
        nobody = Endpoint("127.0.0.1", 9)
        say(one, number, Message(Kind.RENDEZVOUS, nobody))
        assert told(one) == Message(Kind.ERROR, nobody, Refusal.NOT_CONNECTED)


def test_we_introduce_libtorrent_to_a_peer(
    made: tuple[Metainfo, Path, Path], program: tuple[JsonProcess, Endpoint], tmp_path: Path,
) -> None:
    """Its log says that it was told to call the other."""
    process, at = program
    swarm = made[0].info.hashes.swarms[0]

    async def main() -> None:
        async with running_with(settings(), utp=Recorder()) as session:
            torrent = await session.add(made[1], slowly(tmp_path, at))
            await until(lambda: any(peer.remote == at and peer.says for peer in torrent.swarm.peers.values()))

            def ask() -> Message:
                with Wire(address(session), swarm, peer_id=b"-WB0100-one000000000", hello=False) as one:
                    one.send(handshake.message(0, handshake.build(port=7000)))
                    number = spoken(one)
                    assert number == Extension.UT_HOLEPUNCH
                    say(one, number, Message(Kind.RENDEZVOUS, at))
                    found = told(one)
                    process.wait("log", way="in", name="HOLEPUNCH", seconds=20)
                    return found

            assert await asyncio.to_thread(ask) == Message(Kind.CONNECT, at)
            assert torrent.talk.punch.counts["relayed"] == 1

    asyncio.run(main())


def test_we_reach_a_peer_that_libtorrent_knows(
    made: tuple[Metainfo, Path, Path], program: tuple[JsonProcess, Endpoint], tmp_path: Path,
) -> None:
    """A direct call fails; libtorrent is asked, and tells us to call by uTP."""
    process, at = program
    swarm = made[0].info.hashes.swarms[0]
    utp = Recorder()

    async def main() -> None:
        async with running_with(settings(), utp=utp) as session:
            torrent = await session.add(made[1], slowly(tmp_path, at))
            await until(lambda: any(peer.remote == at and peer.says for peer in torrent.swarm.peers.values()))
            relay = next(peer for peer in torrent.swarm.peers.values() if peer.remote == at)
            with Wire(at, swarm, peer_id=b"-WB0100-two000000000") as other:
                await asyncio.to_thread(spoken, other)
                target = here(other)
                torrent.talk.punch.told(target, relay)
                # Nobody listens where that one calls from.
                torrent.add_peers([target], "pex")
                await until(lambda: utp.called)
                assert utp.called == [target]
                assert (await asyncio.to_thread(told, other)).kind is Kind.CONNECT
            await heard(process, "log", way="in", name="HOLEPUNCH")

    asyncio.run(main())
