"""Asking name servers on this machine: some that answer as told, and none."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.dns import Claim, DnsResolver, TxtResolver, reachable_servers, system_servers
from wildbach.net.udp import Datagrams

Talk = Callable[[bytes], list[bytes]]
A, TXT, AAAA = 1, 16, 28


def asked(query: bytes) -> int:
    """The kind of record that a query asks for."""
    return int.from_bytes(query[-15:-13], "big")


def reply(query: bytes, *records: bytes, flags: int = 0x8180) -> bytes:
    head = struct.pack(">HHHHH", flags, 1, len(records), 0, 0)
    return query[:2] + head + query[12:-11] + b"".join(records)


def record(kind: int, data: bytes, seconds: int = 300, name: bytes = b"\xc0\x0c") -> bytes:
    return name + struct.pack(">HHIH", kind, 1, seconds, len(data)) + data


def text(query: bytes, content: bytes, seconds: int = 300) -> bytes:
    """The reply that gives one TXT record."""
    return reply(query, record(TXT, bytes([len(content)]) + content, seconds))


def hosts(*four: str, six: str = "", seconds: int = 300) -> Talk:
    """A server that gives every name these addresses."""
    def talk(query: bytes) -> list[bytes]:
        kind, found = asked(query), []
        if kind == A:
            found = [record(A, socket.inet_aton(address), seconds) for address in four]
        elif six:
            found = [record(AAAA, socket.inet_pton(socket.AF_INET6, six), seconds)]
        return [reply(query, *found)]

    return talk


def forged(query: bytes) -> bytes:
    return bytes([query[0] ^ 1]) + text(query, b"false")[1:]


def silent(query: bytes) -> list[bytes]:
    return []


def unable(query: bytes) -> list[bytes]:
    return [reply(query, flags=0x8182)]


def cut(query: bytes) -> list[bytes]:
    return [reply(query, flags=0x8380)]


class Server:
    """A name server: what it sends for each datagram, and for each question over TCP."""

    def __init__(self, talk: Talk, tcp: Talk = silent) -> None:
        self.asked: Counter[int] = Counter()
        "Datagrams of each kind."
        self.streams = 0
        self._talk = talk
        self._tcp = tcp
        self._datagrams = Datagrams()

    async def __aenter__(self) -> Endpoint:
        while True:
            # A number that is free for UDP is nearly always free for TCP.
            self._datagrams.open([Endpoint("127.0.0.1", 0)])
            at = self._datagrams.endpoints[0]
            try:
                self._server = await asyncio.start_server(self._stream, *at)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                self._datagrams.close()
                self._datagrams = Datagrams()
                continue
            self._datagrams.attach(self._answer)
            return at

    async def __aexit__(self, *_: object) -> None:
        self._datagrams.close()
        self._server.close()
        await self._server.wait_closed()

    def _answer(self, remote: Endpoint, query: bytes) -> bool:
        self.asked[asked(query)] += 1
        for answer in self._talk(query):
            self._datagrams.send(remote, answer)
        return True

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.streams += 1
        size = int.from_bytes(await reader.readexactly(2), "big")
        query = await reader.readexactly(size)
        for answer in self._tcp(query):
            writer.write(len(answer).to_bytes(2, "big"))
            await writer.drain()
            writer.write(answer)
        writer.close()
        await writer.wait_closed()


def run(story: Callable[[list[Endpoint]], Awaitable[None]], *servers: Server) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            await story([await stack.enter_async_context(server) for server in servers])

    asyncio.run(main())


def patience(*talks: Talk) -> float:
    """Seconds for each server: few where one is silent, else so many that a slow machine does not matter."""
    return 0.2 if silent in talks else 20.0


def play(*talks: Talk, story: Callable[[TxtResolver], Awaitable[None]]) -> list[int]:
    """Runs a story with a server for each talk; how many datagrams each got."""
    servers = [Server(talk) for talk in talks]
    run(lambda at: story(TxtResolver(at, seconds=patience(*talks))), *servers)
    return [server.asked.total() for server in servers]


class Now:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


NO_FILE = Path("/nonexistent/hosts")


def resolver(
    at: list[Endpoint], *, seconds: float = 20.0, claim: Claim | None = None, file: Path = NO_FILE,
    clock: Now | None = None,
) -> DnsResolver:
    if claim is None:
        return DnsResolver(at, seconds=seconds, hosts=file, clock=clock)
    return DnsResolver(at, seconds=seconds, hosts=file, clock=clock, claim=claim)


# TXT


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


@pytest.mark.parametrize(("first", "sent"), [
    (silent, 2), (unable, 1), (lambda query: [text(query, b"x")[:-1]], 1),
    (lambda query: [forged(query)] * limits.DNS_STRAYS, 1), (cut, 1),
], ids=["silent", "cannot tell", "broken", "many guesses", "cut, and nothing over TCP"])
def test_the_second_server_helps_out(first: Talk, sent: int) -> None:
    async def story(resolver: TxtResolver) -> None:
        assert await resolver.texts("t.example") == (b"hello",)

    counts = play(first, lambda query: [text(query, b"hello")], story=story)
    assert counts[0] == sent and counts[1]


def test_where_nobody_answers_a_name_has_no_records_for_a_while() -> None:
    async def story(resolver: TxtResolver) -> None:
        assert await resolver.texts("t.example") == ()
        assert await resolver.texts("t.example") == ()
        assert await resolver.texts("no name") == ()
        assert await resolver.texts("x" * 64 + ".example") == ()

    assert play(silent, story=story) == [4]


def test_without_name_servers_nothing_is_asked() -> None:
    assert asyncio.run(TxtResolver([]).texts("t.example")) == ()


def test_who_gives_up_leaves_the_others_with_an_answer() -> None:
    async def story(resolver: TxtResolver) -> None:
        first = asyncio.get_running_loop().create_task(resolver.texts("t.example"))
        second = asyncio.get_running_loop().create_task(resolver.texts("t.example"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        assert await second == (b"hello",)

    play(lambda query: [text(query, b"hello")], story=story)


def test_where_no_socket_may_be_used_a_name_has_no_records_and_that_is_not_kept() -> None:
    gone = [True]

    def claim(sock: socket.socket, version: int) -> None:
        if gone:
            raise NetworkError("the interface is gone")

    async def story(at: list[Endpoint]) -> None:
        resolver = TxtResolver(at, claim=claim)
        assert await resolver.texts("t.example") == ()
        gone.clear()
        assert await resolver.texts("t.example") == (b"hello",)

    run(story, Server(lambda query: [text(query, b"hello")]))


# addresses


def test_both_kinds_of_address_are_asked_for_and_those_of_ipv4_come_first() -> None:
    server = Server(hosts("1.2.3.4", "1.2.3.5", six="2001:4860::1"))

    async def story(at: list[Endpoint]) -> None:
        names = resolver(at)
        assert await names.resolve("t.example", 0) == ["1.2.3.4", "1.2.3.5", "2001:4860::1"]
        assert await names.resolve("T.Example.", 4) == ["1.2.3.4", "1.2.3.5"]
        assert await names.resolve("t.example", 6) == ["2001:4860::1"]

    run(story, server)
    assert server.asked == {A: 1, AAAA: 1}


def test_what_is_lost_is_asked_again() -> None:
    lost: list[bytes] = []

    def talk(query: bytes) -> list[bytes]:
        if query in lost:
            return hosts("1.2.3.4")(query)
        lost.append(query)
        return []

    server = Server(talk)

    async def story(at: list[Endpoint]) -> None:
        assert await resolver(at, seconds=1.0).resolve("t.example", 4) == ["1.2.3.4"]

    run(story, server)
    assert server.asked == {A: 2}


def test_replies_of_others_are_not_heard() -> None:
    """The port of the question and its number are known here, and still who did not get it cannot answer it."""
    ways: list[socket.socket] = []
    stranger = socket.socket(type=socket.SOCK_DGRAM)

    def talk(query: bytes) -> list[bytes]:
        stranger.sendto(reply(query, record(A, b"\6\6\6\6")), ways[-1].getsockname())
        wrong = struct.pack(">H", int.from_bytes(query[:2], "big") ^ 1)
        return [wrong + reply(query, record(A, b"\7\7\7\7"))[2:], reply(query, record(A, b"\1\2\3\4"))]

    async def story(at: list[Endpoint]) -> None:
        names = resolver(at, claim=lambda sock, version: ways.append(sock))
        assert await names.resolve("t.example", 4) == ["1.2.3.4"]

    with stranger:
        stranger.bind(("127.0.0.1", 0))
        run(story, Server(talk))
    assert len(ways) == 1 and ways[0].fileno() == -1


def test_each_question_has_a_number_and_a_port_of_its_own() -> None:
    seen: list[bytes] = []
    ports: set[int] = set()
    ways: list[socket.socket] = []

    def talk(query: bytes) -> list[bytes]:
        seen.append(query[:2])
        ports.add(ways[-1].getsockname()[1])
        return hosts("1.2.3.4")(query)

    async def story(at: list[Endpoint]) -> None:
        names = resolver(at, claim=lambda sock, version: ways.append(sock))
        for number in range(20):
            await names.resolve(f"t{number}.example", 4)

    run(story, Server(talk))
    assert len(set(seen)) > 15 and len(ports) > 1


def test_a_reply_that_is_cut_short_comes_again_over_tcp() -> None:
    many = [f"1.2.3.{number}" for number in range(1, 40)]
    server = Server(cut, hosts(*many))
    claimed: list[tuple[int, int]] = []

    async def story(at: list[Endpoint]) -> None:
        names = resolver(at, claim=lambda sock, version: claimed.append((sock.type, version)))
        assert await names.resolve("t.example", 4) == many

    run(story, server)
    assert server.asked == {A: 1} and server.streams == 1
    assert claimed == [(socket.SOCK_DGRAM, 4), (socket.SOCK_STREAM, 4)]


@pytest.mark.parametrize(("tcp", "why"), [
    (silent, "no name server answers"), (cut, "cannot tell"), (unable, "cannot tell"),
    (lambda query: [forged(query)], "broken"), (lambda query: [b""], "broken"),
])
def test_what_goes_wrong_over_tcp_is_told(tcp: Talk, why: str) -> None:
    async def story(at: list[Endpoint]) -> None:
        with pytest.raises(NetworkError, match=why):
            await resolver(at).resolve("t.example", 4)

    run(story, Server(cut, tcp))


def test_an_alias_is_followed_within_the_reply() -> None:
    def talk(query: bytes) -> list[bytes]:
        host = b"\4host\7example\0"
        return [reply(
            query, record(5, host), record(A, b"\1\2\3\4", name=host), record(A, b"\x09\x09\x09\x09", name=b"\1x\0"),
        )]

    async def story(at: list[Endpoint]) -> None:
        assert await resolver(at).resolve("t.example", 4) == ["1.2.3.4"]

    run(story, Server(talk))


def test_an_ipv4_address_in_the_clothes_of_ipv6_is_no_answer() -> None:
    async def story(at: list[Endpoint]) -> None:
        with pytest.raises(NetworkError, match="no IPv6 address"):
            await resolver(at).resolve("t.example", 6)

    run(story, Server(hosts(six="::ffff:1.2.3.4")))


@pytest.mark.parametrize(("talk", "family", "why"), [
    (lambda query: [reply(query, flags=0x8183)], 0, "cannot find t.example: there is no such name"),
    (hosts(), 0, "it has no address"), (hosts("1.2.3.4"), 6, "it has no IPv6 address"),
    (hosts(six="2001:4860::1"), 4, "it has no IPv4 address"), (unable, 0, "the name servers cannot tell"),
    (silent, 0, "no name server answers"), (lambda query: [reply(query, b"x")], 4, "reply is broken"),
])
def test_a_name_without_an_address_is_told_why(talk: Talk, family: int, why: str) -> None:
    async def story(at: list[Endpoint]) -> None:
        with pytest.raises(NetworkError, match=why) as caught:
            await resolver(at, seconds=patience(talk)).resolve("t.example", family)
        assert caught.value.facts == {"host": "t.example"}

    run(story, Server(talk))


def test_one_kind_of_address_is_enough_where_the_other_cannot_be_had() -> None:
    async def story(at: list[Endpoint]) -> None:
        assert await resolver(at).resolve("t.example", 0) == ["2001:4860::1"]

    run(story, Server(lambda query: unable(query) if asked(query) == A else hosts(six="2001:4860::1")(query)))


def test_a_name_that_does_not_exist_is_asked_of_one_server_only() -> None:
    first, second = Server(lambda query: [reply(query, flags=0x8183)]), Server(hosts("1.2.3.4"))

    async def story(at: list[Endpoint]) -> None:
        with pytest.raises(NetworkError):
            await resolver(at).resolve("t.example", 0)

    run(story, first, second)
    assert first.asked == {A: 1, AAAA: 1} and not second.asked


@pytest.mark.parametrize(("talk", "keep", "found"), [
    (hosts("1.2.3.4", seconds=300), 300, True), (hosts("1.2.3.4", seconds=0), 10, True),
    (hosts("1.2.3.4", seconds=1 << 30), 3600, True), (hosts(), 60, False),
    (lambda query: [reply(query, flags=0x8183)], 60, False), (unable, 15, False),
])
def test_an_answer_is_kept_as_long_as_it_may_be(talk: Talk, keep: int, found: bool) -> None:
    server, now = Server(talk), Now()

    async def story(at: list[Endpoint]) -> None:
        names = resolver(at, clock=now)

        async def look() -> None:
            if found:
                assert await names.resolve("t.example", 4) == ["1.2.3.4"]
                return
            with pytest.raises(NetworkError):
                await names.resolve("t.example", 4)

        await look()
        now.seconds += keep - 1
        await look()
        assert server.asked == {A: 1}
        now.seconds += 2
        await look()
        assert server.asked == {A: 2}

    run(story, server)


def test_the_names_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DNS_NAMES", 10)
    server = Server(hosts("1.2.3.4"))

    async def story(at: list[Endpoint]) -> None:
        names = resolver(at)
        for number in [*range(11), 10]:
            await names.resolve(f"t{number}.example", 4)
        assert server.asked == {A: 11}
        await names.resolve("t0.example", 4)
        assert server.asked == {A: 12}

    run(story, server)


def test_the_same_question_is_asked_once_and_outlives_who_asked_first() -> None:
    server = Server(hosts("1.2.3.4"))

    async def story(at: list[Endpoint]) -> None:
        names = resolver(at)
        loop = asyncio.get_running_loop()
        asking = [loop.create_task(names.resolve("t.example", 4)) for _ in range(50)]
        await asyncio.sleep(0)
        asking[0].cancel()
        assert await asyncio.gather(*asking[1:]) == [["1.2.3.4"]] * 49

    run(story, server)
    assert server.asked[A] <= 2


def test_a_bounded_number_of_questions_is_under_way() -> None:
    open_now: list[socket.socket] = []
    most = 0

    def claim(sock: socket.socket, version: int) -> None:
        nonlocal most
        open_now.append(sock)
        most = max(most, sum(other.fileno() >= 0 for other in open_now))

    async def story(at: list[Endpoint]) -> None:
        names = resolver(at, claim=claim)
        await asyncio.gather(*(names.resolve(f"t{number}.example", 0) for number in range(50)))

    run(story, Server(hosts("1.2.3.4")))
    assert len(open_now) == 100 and most == limits.DNS_UNDER_WAY


@pytest.mark.parametrize("family", [0, 4, 6])
def test_where_no_socket_may_be_used_the_reason_passes_and_is_not_kept(family: int) -> None:
    gone = [True]

    def claim(sock: socket.socket, version: int) -> None:
        assert sock.getsockname() == ("0.0.0.0", 0)
        if gone:
            raise NetworkError("the interface is gone")

    first, second = (Server(hosts("1.2.3.4", six="2001:4860::1")) for _ in range(2))

    async def story(at: list[Endpoint]) -> None:
        names = resolver(at, claim=claim)
        both = await asyncio.gather(*(names.resolve("t.example", family) for _ in range(2)), return_exceptions=True)
        assert [str(error) for error in both] == ["the interface is gone"] * 2
        gone.clear()
        assert await names.resolve("t.example", family)

    run(story, first, second)
    assert not second.asked


def test_the_reason_does_not_wait_for_the_other_question() -> None:
    """The interface goes between the two questions, and the first of them is never answered."""
    claims: list[int] = []

    def claim(sock: socket.socket, version: int) -> None:
        claims.append(version)
        if len(claims) == 2:
            raise NetworkError("the interface is gone")

    async def story(at: list[Endpoint]) -> None:
        with pytest.raises(NetworkError, match="gone"):
            await resolver(at, seconds=3600.0, claim=claim).resolve("t.example", 0)

    run(story, Server(silent))


def test_a_socket_for_ipv6_is_claimed_as_one() -> None:
    claims: list[tuple[int, int]] = []

    def claim(sock: socket.socket, version: int) -> None:
        claims.append((sock.family, version))
        raise NetworkError("no way")

    async def main() -> None:
        with pytest.raises(NetworkError, match="no way"):
            await resolver([Endpoint("::1", 53)], claim=claim).resolve("t.example", 4)

    asyncio.run(main())
    assert claims == [(socket.AF_INET6, 6)]


def test_what_needs_no_question_asks_none(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text(
        "# 9.9.9.9 no.example\n127.0.0.1 localhost\n10.0.0.1\tBox box.home # mine\nfe80::1%eth0 odd\nx y\n10.0.0.2\n"
        "fd00::1 box\n10.0.0.3 box\n10.0.0.3 box\n::ffff:10.0.0.4 wrapped\n6.6.6.6 sub.localhost\n"
    )
    server = Server(hosts("6.6.6.6", six="2001:4860::1"))

    async def story(at: list[Endpoint]) -> None:
        names = resolver(at, file=file)
        for host, family, found in [
            ("8.8.8.8", 0, ["8.8.8.8"]), ("8.8.8.8", 4, ["8.8.8.8"]), ("2001:4860:0::1", 6, ["2001:4860::1"]),
            ("localhost", 0, ["127.0.0.1", "::1"]), ("LOCALHOST.", 6, ["::1"]), ("sub.localhost", 4, ["127.0.0.1"]),
            ("box", 0, ["10.0.0.1", "10.0.0.3", "fd00::1"]), ("BOX.home", 4, ["10.0.0.1"]), ("box", 6, ["fd00::1"]),
            ("wrapped", 0, ["10.0.0.4"]),
        ]:
            assert await names.resolve(host, family) == found
        for host, family, why in [
            ("8.8.8.8", 6, "no IPv6 address"), ("::1", 4, "no IPv4 address"), ("box.home", 6, "it has no IPv6 address"),
            ("odd", 0, "a name without a dot"), ("no", 0, "a name without a dot"), ("", 0, "without a dot"),
            ("t\u00fcr.example", 0, "it is no name"), ("a..b", 0, "it is no name"), ("x" * 64 + ".b", 4, "is no name"),
        ]:
            with pytest.raises(NetworkError, match=why):
                await names.resolve(host, family)

    run(story, server)
    assert not server.asked


def test_the_hosts_file_is_read_again_where_it_changed(tmp_path: Path) -> None:
    file = tmp_path / "hosts"

    async def story(at: list[Endpoint]) -> None:
        names = resolver(at, file=file)
        for number in range(1, 4):
            file.write_text(f"10.0.0.{number} box\n")
            os.utime(file, (number, number))
            assert await names.resolve("box", 0) == [f"10.0.0.{number}"]
        file.unlink()
        with pytest.raises(NetworkError):
            await names.resolve("box", 0)

    run(story)


def test_of_a_long_hosts_file_whole_lines_are_read(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    line = "10.0.0.1 box{:09}\n"
    whole, rest = divmod(limits.HOSTS_FILE_BYTES, len(line.format(0)))
    file.write_text("".join(line.format(number) for number in range(whole + 10)))

    async def story(at: list[Endpoint]) -> None:
        names = resolver(at, file=file)
        for number in (0, whole - 1):
            assert await names.resolve(f"box{number:09}", 0) == ["10.0.0.1"]
        cut = line.format(whole)[:rest].split()[1]
        for name in (f"box{whole:09}", cut):
            with pytest.raises(NetworkError):
                await names.resolve(name, 0)

    run(story)


def test_without_name_servers_that_is_the_reason() -> None:
    async def story(at: list[Endpoint]) -> None:
        with pytest.raises(NetworkError, match="there is no name server to ask"):
            await resolver(at).resolve("t.example", 0)

    run(story)


# which servers


def test_the_servers_of_this_machine_are_read(tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text("# nameserver 9.9.9.9\nsearch x\nnameserver 1.2.3.4\nnameserver\nnameserver x\nnameserver ::1\n")
    assert system_servers(conf) == (Endpoint("1.2.3.4", 53), Endpoint("::1", 53))
    assert system_servers(tmp_path / "none") == ()


@pytest.mark.parametrize(("conf", "upstream", "found"), [
    ("nameserver 127.0.0.1\nnameserver 1.1.1.1\nnameserver 10.0.0.1\nnameserver 9.9.9.9\n", "nameserver 8.8.8.8\n",
     ["1.1.1.1", "10.0.0.1"]),
    ("nameserver 127.0.0.53\nnameserver ::1\n", "nameserver 8.8.8.8\nnameserver 127.0.0.1\nnameserver fd00::1\n",
     ["8.8.8.8", "fd00::1"]),
    ("nameserver 127.0.0.53\n", "nameserver 127.0.0.1\n", []), ("nameserver 127.0.0.53\n", None, []),
    ("nameserver 0.0.0.0\nnameserver ::\nnameserver ::ffff:127.0.0.1\n", None, []),
    (None, "nameserver 8.8.8.8\n", ["8.8.8.8"]), (None, None, []),
])
def test_servers_beyond_loopback_are_found(
    tmp_path: Path, conf: str | None, upstream: str | None, found: list[str],
) -> None:
    paths = tmp_path / "resolv.conf", tmp_path / "upstream.conf"
    for path, content in zip(paths, (conf, upstream), strict=True):
        if content is not None:
            path.write_text(content)
    assert reachable_servers(*paths) == tuple(Endpoint(host, 53) for host in found)
