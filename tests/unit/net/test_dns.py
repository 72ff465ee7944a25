"""Asking name servers on this machine: one that answers as told, and none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from wildbach.base.ids import Endpoint
from wildbach.net.dns import TxtResolver, system_servers
from wildbach.net.udp import Datagrams

Talk = Callable[[bytes], list[bytes]]


def text(query: bytes, content: bytes, seconds: int = 300) -> bytes:
    """The reply that gives one TXT record."""
    data = bytes([len(content)]) + content
    record = b"\xc0\x0c\0\x10\0\1" + seconds.to_bytes(4, "big") + len(data).to_bytes(2, "big") + data
    return query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:-11] + record


def forged(query: bytes) -> bytes:
    return bytes([query[0] ^ 1]) + text(query, b"false")[1:]


class Server:
    def __init__(self, talk: Talk) -> None:
        self.asked = 0
        self._talk = talk
        self._datagrams = Datagrams()

    async def __aenter__(self) -> Endpoint:
        def answer(remote: Endpoint, query: bytes) -> bool:
            self.asked += 1
            for reply in self._talk(query):
                self._datagrams.send(remote, reply)
            return True

        self._datagrams.attach(answer)
        self._datagrams.open([Endpoint("127.0.0.1", 0)])
        return self._datagrams.endpoints[0]

    async def __aexit__(self, *_: object) -> None:
        self._datagrams.close()


def play(*talks: Talk, story: Callable[[TxtResolver], Awaitable[None]]) -> list[int]:
    """Runs a story with a server for each talk; how often each was asked."""
    servers = [Server(talk) for talk in talks]

    async def main() -> None:
        async with AsyncExitStack() as stack:
            await story(TxtResolver([await stack.enter_async_context(server) for server in servers], seconds=0.2))

    asyncio.run(main())
    return [server.asked for server in servers]


def test_a_record_is_asked_for_once_and_kept() -> None:
    async def story(resolver: TxtResolver) -> None:
        both = await asyncio.gather(resolver.texts("t.example"), resolver.texts("T.example"))
        assert both == [(b"hello",), (b"hello",)]
        assert await resolver.texts("t.example") == (b"hello",)

    assert play(lambda query: [text(query, b"hello")], story=story) == [1]


def test_a_forged_reply_is_passed_over() -> None:
    async def story(resolver: TxtResolver) -> None:
        assert await resolver.texts("t.example") == (b"true",)

    assert play(lambda query: [b"", forged(query), text(query, b"true")], story=story) == [1]


@pytest.mark.parametrize("first", [
    lambda query: [], lambda query: [query[:2] + b"\x81\x82" + query[4:]], lambda query: [text(query, b"x")[:-1]],
], ids=["silent", "cannot tell", "broken"])
def test_the_second_server_helps_out(first: Talk) -> None:
    async def story(resolver: TxtResolver) -> None:
        assert await resolver.texts("t.example") == (b"hello",)

    assert play(first, lambda query: [text(query, b"hello")], story=story) == [1, 1]


def test_where_nobody_answers_a_name_has_no_records_for_a_while() -> None:
    async def story(resolver: TxtResolver) -> None:
        assert await resolver.texts("t.example") == ()
        assert await resolver.texts("t.example") == ()
        assert await resolver.texts("no name") == ()
        assert await resolver.texts("x" * 64 + ".example") == ()

    assert play(lambda query: [], story=story) == [2]


def test_without_name_servers_nothing_is_asked() -> None:
    assert asyncio.run(TxtResolver([]).texts("t.example")) == ()


def test_who_gives_up_leaves_the_others_with_an_answer() -> None:
    async def story(resolver: TxtResolver) -> None:
        first = asyncio.get_running_loop().create_task(resolver.texts("t.example"))
        second = asyncio.get_running_loop().create_task(resolver.texts("t.example"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        assert await second == ()

    play(lambda query: [], story=story)


def test_the_servers_of_this_machine_are_read(tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text("# nameserver 9.9.9.9\nsearch x\nnameserver 1.2.3.4\nnameserver\nnameserver x\nnameserver ::1\n")
    assert system_servers(conf) == (Endpoint("1.2.3.4", 53), Endpoint("::1", 53))
    assert system_servers(tmp_path / "none") == ()
