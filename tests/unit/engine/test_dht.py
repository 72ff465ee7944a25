"""What the DHT of a session sends, and to whom."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from wildbach.base import limits
from wildbach.base.errors import NetworkError, UsageError
from wildbach.base.ids import Endpoint
from wildbach.disk.resume import MemoryResume
from wildbach.engine.dht import Dht
from wildbach.engine.settings import DhtSettings
from wildbach.net.resolve import Guard
from wildbach.net.udp import Handler
from wildbach.protocol.dht import krpc
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.testing.loop import sim

FAR = Endpoint("20.1.2.3", 6881)


class Wire:
    """Sockets that keep what is sent."""

    def __init__(self, *at: Endpoint) -> None:
        self.endpoints = at
        self.handlers: list[Handler] = []
        self.sent: list[tuple[Endpoint, bytes]] = []

    def attach(self, handler: Handler) -> None:
        self.handlers.append(handler)

    def detach(self, handler: Handler) -> None:
        self.handlers.remove(handler)

    def send(self, remote: Endpoint, data: bytes) -> bool:
        self.sent.append((remote, data))
        return True

    @property
    def asked(self) -> set[str]:
        return {remote.host for remote, _ in self.sent}


class Names:
    """A resolver that counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def resolve(self, host: str, family: int) -> list[str]:
        self.asked.append(host)
        if host == "nobody.example":
            raise NetworkError("cannot find nobody.example")
        return ["20.9.9.9"] if family == 4 else ["2600::9"]


def run(
    work: Callable[[Dht, Wire, Names], Awaitable[None]], *at: Endpoint, store: MemoryResume | None = None,
    guard: Guard | None = None, blocks: Callable[[str], bool] = lambda host: False, **chosen: object,
) -> None:
    async def main() -> None:
        wire, names, threads, failures = Wire(*at), Names(), Threads(1), []
        async with Scope("test") as scope:
            dht = Dht(
                wire, guard or Guard(names), scope, store or MemoryResume(), threads, Random(1),
                settings=lambda: DhtSettings(**chosen),  # type: ignore[arg-type]
                clock=asyncio.get_running_loop().time, report=failures.append,
                blocks=blocks,
            )
            await dht.open()
            await work(dht, wire, names)
            await dht.close()
            await dht.close()
        threads.close()
        assert failures == [] and wire.handlers == []

    sim(1).run(main())


def test_a_session_on_this_machine_sends_nothing_outside_and_looks_no_name_up() -> None:
    async def work(dht: Dht, wire: Wire, names: Names) -> None:
        await asyncio.sleep(100)
        assert not wire.sent and not names.asked
        dht.named(FAR)
        dht.hint([(FAR.host, FAR.port), ("127.0.0.1", 7000), ("10.0.0.1", 7000)])
        await asyncio.sleep(100)
        assert wire.asked == {"127.0.0.1"}
        ping = krpc.encode_query(b"aa", bytes(range(20)), krpc.Ping())
        before = len(wire.sent)
        assert not wire.handlers[0](FAR, ping)
        assert wire.handlers[0](Endpoint("127.0.0.1", 9000), ping)
        assert wire.sent[before][0] == Endpoint("127.0.0.1", 9000)

    run(work, Endpoint("127.0.0.1", 7001))


def test_nodes_on_this_machine_are_asked_first_where_the_settings_name_them() -> None:
    async def work(_dht: Dht, wire: Wire, names: Names) -> None:
        await asyncio.sleep(1)
        assert wire.asked == {"127.0.0.1"} and not names.asked

    run(work, Endpoint("127.0.0.1", 7001), bootstrap=("127.0.0.1:7002", "20.1.1.1:7002", "node.example:7002"))


def test_the_nodes_of_the_settings_are_looked_up_for_each_ip_version() -> None:
    async def work(dht: Dht, wire: Wire, names: Names) -> None:
        await asyncio.sleep(1)
        assert wire.asked == {"20.9.9.9", "2600::9"}
        assert set(names.asked) == {"nobody.example", "node.example"}
        view = dht.view()
        assert view.running and view.nodes_v4 == view.nodes_v6 == 0 and "nobody.example" in view.reason

    run(
        work, Endpoint("0.0.0.0", 6881), Endpoint("::", 6881), bootstrap=("nobody.example:1", "node.example:6881"),
    )


def test_a_torrent_file_does_not_send_us_to_our_own_network() -> None:
    async def work(dht: Dht, wire: Wire, _names: Names) -> None:
        dht.hint([("192.168.1.1", 6881), ("127.0.0.1", 6881), ("20.5.5.5", 53), ("169.254.169.254", 6881)])
        await asyncio.sleep(20)
        assert not wire.sent
        dht.hint([("20.5.5.5", 6881)])
        await asyncio.sleep(20)
        assert wire.asked == {"20.5.5.5"}

    run(work, Endpoint("0.0.0.0", 6881), bootstrap=())


def test_behind_a_proxy_a_torrent_file_names_nodes_of_the_internet_only() -> None:
    async def work(dht: Dht, wire: Wire, _names: Names) -> None:
        dht.hint([
            ("localhost", 6881), ("a.localhost", 6881), ("nas", 6881), ("nas.lan", 6881), ("nas.corp", 6881),
            ("router.example", 53), ("192.168.1.1", 6881), ("a b", 6881), ("2130706433", 6881),
        ])
        await asyncio.sleep(20)
        assert not wire.sent
        dht.hint([("router.example", 6881)])
        await asyncio.sleep(20)
        assert wire.asked == {"router.example"}

    run(work, Endpoint("0.0.0.0", 0), bootstrap=(), guard=Guard(None))


def test_behind_a_proxy_who_is_blocked_does_not_answer_for_a_name() -> None:
    async def work(dht: Dht, wire: Wire, _names: Names) -> None:
        await asyncio.sleep(1)
        question = krpc.decode(wire.sent[0][1])
        assert isinstance(question, krpc.Query) and wire.sent[0][0].host == "router.example"
        answer = krpc.encode_reply(krpc.Reply(question.tid, bytes(20)))
        assert wire.handlers[0](Endpoint("20.6.6.6", 6881), answer)
        assert dht.view().nodes_v4 == 0
        assert wire.handlers[0](FAR, answer)
        assert dht.view().nodes_v4 == 1

    run(
        work, Endpoint("0.0.0.0", 0), bootstrap=("router.example:6881",), guard=Guard(None),
        blocks=lambda host: host == "20.6.6.6",
    )


def test_peers_that_name_nodes_by_the_thousand_are_heard_a_few_times_a_minute() -> None:
    async def work(dht: Dht, wire: Wire, _names: Names) -> None:
        for number in range(5000):
            dht.named(Endpoint(f"20.{number // 250}.{number % 250}.1", 6881))
        await asyncio.sleep(59)
        assert len({remote for remote, _ in wire.sent}) <= limits.DHT_PORT_NODES_PER_MINUTE

    run(work, Endpoint("0.0.0.0", 6881), bootstrap=())


def test_what_is_not_krpc_is_left_to_others() -> None:
    async def work(_dht: Dht, wire: Wire, _names: Names) -> None:
        for data in (b"", b"x" * 20, b"\0" * 100, b"d1:x", b"de"):
            assert not wire.handlers[0](FAR, data)

    run(work, Endpoint("0.0.0.0", 6881), bootstrap=())


def test_without_nodes_a_put_and_a_get_end_with_the_reason() -> None:
    async def work(dht: Dht, _wire: Wire, _names: Names) -> None:
        with pytest.raises(NetworkError, match="no nodes"):
            await dht.get(bytes(20))
        with pytest.raises(UsageError):
            await dht.get(b"short")
        assert not await dht.ready(1.0)

    run(work, Endpoint("0.0.0.0", 6881), bootstrap=())


def test_a_wrong_address_of_a_node_in_the_settings_is_said() -> None:
    async def work(_dht: Dht, _wire: Wire, _names: Names) -> None:
        raise NotImplementedError

    with pytest.raises(UsageError, match="HOST:PORT"):
        run(work, Endpoint("0.0.0.0", 6881), bootstrap=("router.example",))
    for text in ("a b:1", "127.1:1", "r\u00fcter.example:1", "a..b:1"):
        with pytest.raises(UsageError, match="neither an address nor a name"):
            run(work, Endpoint("0.0.0.0", 6881), bootstrap=(text,))


def test_ids_last_and_saved_nodes_are_asked_at_the_next_start() -> None:
    store = MemoryResume()
    ids: list[tuple[bytes, ...]] = []
    known = bytes(range(20, 40)) + bytes([20, 7, 7, 7]) + (6881).to_bytes(2, "big")

    async def first(dht: Dht, _wire: Wire, _names: Names) -> None:
        ids.append(dht.ids)

    async def second(dht: Dht, wire: Wire, names: Names) -> None:
        assert dht.ids == ids[0]
        await asyncio.sleep(1)
        assert wire.asked == {"20.7.7.7"} and not names.asked
        await asyncio.sleep(20)
        assert "node.example" in names.asked  # it does not answer

    run(first, Endpoint("0.0.0.0", 6881), store=store, bootstrap=())
    store.keep("dht", {"nodes4": known + b"rest"})
    run(second, Endpoint("0.0.0.0", 6881), store=store, bootstrap=("node.example:6881",))
    assert store.kept("dht")["nodes4"] == known + b"rest"


def test_a_torrent_of_a_session_without_a_socket_has_no_dht() -> None:
    async def work(dht: Dht, _wire: Wire, _names: Names) -> None:
        assert not dht.running and dht.view().reason == "there is no UDP socket"
        assert dht.port_for(FAR) == 0

    run(work)
