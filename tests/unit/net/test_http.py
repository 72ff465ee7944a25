import asyncio
import gzip
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import FormatError, LimitError, NetworkError
from wildbach.net.http import HttpClient, LeadsToMagnet, Response
from wildbach.net.resolve import ForbiddenURL, Guard, Purpose

Talk = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Names:
    """Every name leads to the next of these addresses; the last one stays."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)

    async def resolve(self, host: str, family: int) -> list[str]:
        return [self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]]


class Server:
    """A server that says whatever a test wants. `seen` holds the requests' heads."""

    def __init__(self, talk: Talk, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.talk = talk
        self.host = host
        self.tls = tls
        self.seen: list[bytes] = []
        self.connections = 0

    async def __aenter__(self) -> "Server":
        self.server = await asyncio.start_server(self._client, self.host, 0, ssl=self.tls)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        await self.server.wait_closed()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.seen.append(head)
                await self.talk(head, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def ok(body: bytes = b"hello", extra: str = "") -> Talk:
    async def talk(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body)
    return talk


def redirect(to: str) -> Talk:
    async def talk(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode())
    return talk


def near(host: str) -> Reach:
    """127.0.0.2 plays a host far away."""
    return Reach.GLOBAL if host == "127.0.0.2" else classify(host)


def fetch(
    talk: Talk, path: str = "/announce", *, host: str = "127.0.0.1", names: Names | None = None, limit: int = 1000,
    seconds: float = 5.0, purpose: Purpose = Purpose.TRACKER,
) -> tuple[Response, Server]:
    async def main() -> tuple[Response, Server]:
        client = HttpClient(Guard(names or Names("127.0.0.1"), classify=near))
        async with Server(talk) as server:
            try:
                return await client.fetch(
                    f"http://{host}:{server.port}{path}", purpose=purpose, limit=limit, seconds=seconds), server
            finally:
                await client.close()
    return asyncio.run(main())


def test_a_body_comes_back() -> None:
    response, server = fetch(ok(extra="X-Odd: yes\r\n"))
    assert (response.status, response.body, response.headers["x-odd"]) == (200, b"hello", "yes")
    assert response.reach is Reach.LOCAL
    assert b"ookie" not in server.seen[0]
    assert b"User-Agent: wildbach" in server.seen[0]


def test_the_path_and_query_are_sent_as_they_are() -> None:
    _, server = fetch(ok(), "/announce?info_hash=%FF%00%2f%7E&x=%zz")
    assert server.seen[0].startswith(b"GET /announce?info_hash=%FF%00%2f%7E&x=%zz HTTP/1.1\r\n")


def test_a_name_is_connected_by_its_address_and_keeps_its_name() -> None:
    _, server = fetch(ok(), host="tracker.example")
    assert f"Host: tracker.example:{server.port}\r\n".encode() in server.seen[0]


def test_connections_are_kept_between_requests() -> None:
    async def main() -> None:
        client = HttpClient(Guard(Names("127.0.0.1")))
        async with Server(ok()) as server:
            for _ in range(5):
                await client.fetch(f"http://t.example:{server.port}/announce", purpose=Purpose.TRACKER, limit=10)
            assert server.connections == 1
            await client.close()
    asyncio.run(main())


def test_a_kept_connection_that_the_server_closed_is_no_failure() -> None:
    """Some trackers close after each reply without saying so."""
    async def once(_: bytes, writer: asyncio.StreamWriter) -> None:
        await ok()(b"", writer)
        await writer.drain()
        writer.close()

    async def main() -> None:
        client = HttpClient(Guard(Names("127.0.0.1")))
        async with Server(once) as server:
            url = f"http://t.example:{server.port}/announce"
            for _ in range(5):
                found = await client.fetch(url, purpose=Purpose.TRACKER, limit=10)
                assert found.body == b"hello"
            assert server.connections == 5
            await client.close()
    asyncio.run(main())


def test_a_name_that_flips_to_a_near_address_is_refused_though_a_connection_is_kept() -> None:
    async def main() -> None:
        client = HttpClient(Guard(Names("127.0.0.2", "127.0.0.1", "127.0.0.2"), classify=near))
        async with Server(ok(), "0.0.0.0") as server:
            url = f"http://t.example:{server.port}/x"
            await client.fetch(url, purpose=Purpose.TRACKER, limit=10)
            with pytest.raises(ForbiddenURL):
                await client.fetch(url, purpose=Purpose.TRACKER, limit=10)
            await client.fetch(url, purpose=Purpose.TRACKER, limit=10)
            assert len(server.seen) == 2
            await client.close()
    asyncio.run(main())


def test_a_connection_to_this_machine_is_not_reused_for_a_name_that_flipped() -> None:
    async def main() -> None:
        client = HttpClient(Guard(Names("127.0.0.1", "127.0.0.2"), classify=near))
        peers: list[str] = []

        async def talk(_: bytes, writer: asyncio.StreamWriter) -> None:
            peers.append(writer.get_extra_info("sockname")[0])
            await ok()(b"", writer)

        async with Server(talk, "0.0.0.0") as server:
            await client.fetch(f"http://t.example:{server.port}/announce", purpose=Purpose.TRACKER, limit=10)
            await client.fetch(f"http://t.example:{server.port}/x?delete", purpose=Purpose.WEB_SEED, limit=10)
            assert peers == ["127.0.0.1", "127.0.0.2"]
            await client.close()
    asyncio.run(main())


def test_a_redirect_to_this_machine_is_not_followed() -> None:
    async def main() -> None:
        client = HttpClient(Guard(Names("127.0.0.1"), classify=near))
        async with Server(ok()) as victim:
            for to in (f"http://127.0.0.1:{victim.port}/announce", f"http://localhost:{victim.port}/announce",
                       f"//t.example:{victim.port}/announce", "file:///etc/passwd", "http://169.254.169.254/announce"):
                async with Server(redirect(to), "127.0.0.2") as server:
                    with pytest.raises(ForbiddenURL):
                        await client.fetch(f"http://127.0.0.2:{server.port}/a", purpose=Purpose.TRACKER, limit=10)
            assert victim.connections == 0
        await client.close()
    asyncio.run(main())


def test_what_somebody_far_away_names_is_not_fetched_from_here() -> None:
    async def main() -> None:
        client = HttpClient(Guard(Names("127.0.0.1"), classify=near))
        async with Server(ok(), "0.0.0.0") as server:
            here, far = f"http://127.0.0.1:{server.port}/x", f"http://127.0.0.2:{server.port}/x"
            with pytest.raises(ForbiddenURL, match="a global address names"):
                await client.fetch(here, purpose=Purpose.USER, limit=10, named_by=Reach.GLOBAL)
            assert server.connections == 0
            await client.fetch(far, purpose=Purpose.USER, limit=10, named_by=Reach.GLOBAL)
            await client.fetch(here, purpose=Purpose.USER, limit=10, named_by=Reach.LOCAL)
        await client.close()
    asyncio.run(main())


def test_a_redirect_to_a_magnet_says_which() -> None:
    link = "magnet:?xt=urn:btih:" + "0" * 40
    with pytest.raises(LeadsToMagnet) as caught:
        fetch(redirect(link))
    assert caught.value.link == link


def test_a_redirect_is_followed_but_not_for_ever() -> None:
    async def talk(head: bytes, writer: asyncio.StreamWriter) -> None:
        hops = int(head.split()[1].partition(b"?")[2])
        await (redirect(f"/announce?{hops - 1}") if hops else ok())(head, writer)

    response, server = fetch(talk, "/announce?5")
    assert response.body == b"hello"
    assert response.url.endswith("/announce?0")
    assert len(server.seen) == 6
    with pytest.raises(NetworkError, match="more than 5 redirects"):
        fetch(talk, "/announce?6")
    with pytest.raises(NetworkError, match="more than 5 redirects"):
        fetch(redirect("/announce"))


def test_a_password_is_sent_to_its_own_origin_only() -> None:
    async def main() -> None:
        client = HttpClient(Guard(Names("127.0.0.1")))
        async with Server(ok()) as other, Server(redirect(f"http://127.0.0.1:{other.port}/announce")) as server:
            await client.fetch(f"http://us:pw@127.0.0.1:{server.port}/announce", purpose=Purpose.TRACKER, limit=10)
            assert b"Authorization: Basic dXM6cHc=\r\n" in server.seen[0]
            assert b"Authorization" not in other.seen[0]
        await client.close()
    asyncio.run(main())


def test_a_body_over_the_limit_is_refused() -> None:
    with pytest.raises(LimitError, match="1001 bytes"):
        fetch(ok(bytes(1001)))
    assert len(fetch(ok(bytes(1000)))[0].body) == 1000


def test_an_endless_body_is_cut_off_soon() -> None:
    sent = 0

    async def talk(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(1600):
            writer.write(bytes(65536))
            sent += 65536
            await writer.drain()

    with pytest.raises(LimitError):
        fetch(talk, limit=100_000)
    assert sent < 20_000_000


def test_a_packed_body_is_unpacked_within_the_limit() -> None:
    packed = "Content-Encoding: gzip\r\n"
    assert fetch(ok(gzip.compress(b"x" * 900), packed))[0].body == b"x" * 900
    with pytest.raises(LimitError):
        fetch(ok(gzip.compress(bytes(900_000)), packed))
    with pytest.raises(FormatError):
        fetch(ok(b"not gzip", packed))
    with pytest.raises(FormatError, match="cut short"):
        fetch(ok(gzip.compress(b"x" * 900)[:-9], packed))
    assert fetch(ok(gzip.compress(b"x" * 900) + bytes(500), packed))[0].body == b"x" * 900, "what follows is not of it"
    with pytest.raises(FormatError):
        fetch(ok(b"x", "Content-Encoding: br\r\n"))


@pytest.mark.parametrize("said", [
    b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfew",
])
def test_a_server_that_falls_silent_costs_only_the_time_allowed(said: bytes) -> None:
    async def talk(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(said)

    with pytest.raises(NetworkError, match="within"):
        fetch(talk, seconds=0.2)


@pytest.mark.parametrize("said", [
    b"", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfew",
    b"HTTP/1.1 302 Found\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello",
])
def test_a_server_that_talks_nonsense_is_a_network_error(said: bytes) -> None:
    async def talk(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    with pytest.raises(NetworkError):
        fetch(talk)


def test_nobody_listening_is_said_in_plain_words() -> None:
    async def main() -> None:
        async with Server(ok()) as server:
            port = server.port
        client = HttpClient(Guard(Names("127.0.0.1")))
        with pytest.raises(NetworkError, match="refused"):
            await client.fetch(f"http://127.0.0.1:{port}/announce", purpose=Purpose.TRACKER, limit=10)
        await client.close()
        with pytest.raises(NetworkError, match="closed"):
            await client.fetch(f"http://127.0.0.1:{port}/announce", purpose=Purpose.TRACKER, limit=10)
    asyncio.run(main())


def test_the_next_address_is_tried_where_one_refuses() -> None:
    class Two:
        async def resolve(self, host: str, family: int) -> list[str]:
            return ["127.0.0.9", "127.0.0.1"]

    async def main() -> None:
        client = HttpClient(Guard(Two()))
        async with Server(ok()) as server:
            url = f"http://t.example:{server.port}/announce"
            assert (await client.fetch(url, purpose=Purpose.TRACKER, limit=10)).body == b"hello"
        await client.close()
    asyncio.run(main())


def test_a_certificate_nobody_vouches_for_is_refused() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(Path(__file__).with_name("self_signed.pem"))

    async def main() -> None:
        client = HttpClient(Guard(Names("127.0.0.1")))
        async with Server(ok(), tls=tls) as server:
            with pytest.raises(NetworkError, match="certificate is not valid"):
                await client.fetch(f"https://localhost:{server.port}/announce", purpose=Purpose.TRACKER, limit=10)
            assert server.seen == []
        await client.close()
    asyncio.run(main())


def test_a_sink_takes_the_body_as_it_comes() -> None:
    async def main() -> None:
        parts: list[bytes] = []
        client = HttpClient(Guard(Names("127.0.0.1")))
        async with Server(ok(bytes(500_000))) as server:
            response = await client.fetch(f"http://127.0.0.1:{server.port}/f", purpose=Purpose.WEB_SEED, limit=500_000,
                                          headers={"Range": "bytes=0-499999"}, sink=parts.append)
            assert b"Range: bytes=0-499999\r\n" in server.seen[0]
        assert response.body == b""
        assert sum(map(len, parts)) == 500_000
        await client.close()
    asyncio.run(main())


# -- POST


def post(talk: Talk, *, limit: int = 1000) -> tuple[Response, Server]:
    async def main() -> tuple[Response, Server]:
        client = HttpClient(Guard(Names("127.0.0.1")))
        async with Server(talk) as server:
            try:
                return await client.post(
                    f"http://node.example:{server.port}/wallet/x?a=b", b'{"a":1}', content_type="application/json",
                    purpose=Purpose.USER, limit=limit, seconds=60, headers={"X-Key": "abc"}), server
            finally:
                await client.close()
    return asyncio.run(main())


def test_a_body_is_posted_once() -> None:
    seen: list[bytes] = []

    async def talk(head: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(head)
        writer.write(b"HTTP/1.1 500 Broken\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        await writer.drain()
        writer.close()

    response, server = post(talk)
    assert (response.status, response.body, server.connections) == (500, b"no", 1)
    (head,) = seen
    assert head.startswith(b"POST /wallet/x?a=b HTTP/1.1\r\n")
    for line in (b"Content-Type: application/json", b"Content-Length: 7", b"X-Key: abc", b"Host: node.example:"):
        assert b"\r\n" + line in head


def test_a_post_is_not_sent_on() -> None:
    with pytest.raises(NetworkError, match="sends us elsewhere"):
        post(redirect("http://127.0.0.1:1/"))


def test_the_answer_to_a_post_is_bounded() -> None:
    with pytest.raises(LimitError):
        post(ok(bytes(2000)))


def test_a_post_goes_to_no_address_that_is_forbidden() -> None:
    async def main() -> None:
        client = HttpClient(Guard(Names("169.254.169.254")))
        with pytest.raises(ForbiddenURL):
            await client.post(
                "http://node.example/", b"", content_type="text/plain", purpose=Purpose.USER, limit=10, seconds=60)
        await client.close()
    asyncio.run(main())
