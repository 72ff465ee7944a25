import asyncio

import pytest

from wildbach.base.errors import NetworkError
from wildbach.net import httpd
from wildbach.net.httpd import HttpServer, Request, Response


async def echo(request: Request) -> Response:
    return Response(f"{request.method} {request.path} {request.query} {request.remote.host}".encode())


async def ask(port: int, said: bytes, host: str = "127.0.0.1") -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(said)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def test_a_request_reaches_the_handler_as_it_was_sent() -> None:
    async def main() -> None:
        server = HttpServer(echo)
        at = await server.start("127.0.0.1", 0)
        raw = b"GET /announce?info_hash=%ff%00a+b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = await ask(at.port, raw)
        assert answer.endswith(b"\r\n\r\nGET /announce info_hash=%ff%00a+b 127.0.0.1")
        assert b"Server: wildbach\r\n" in answer
        await server.close()
    asyncio.run(main())


def test_ipv6_is_served() -> None:
    async def main() -> None:
        server = HttpServer(echo)
        at = await server.start("::1", 0)
        answer = await ask(at.port, b"GET / HTTP/1.0\r\n\r\n", "::1")
        assert answer.endswith(b"GET /  ::1")
        await server.close()
    asyncio.run(main())


def test_a_client_that_never_finishes_its_request_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpd, "_REQUEST_SECONDS", 0.1)

    async def main() -> None:
        server = HttpServer(echo)
        at = await server.start("127.0.0.1", 0)
        assert await ask(at.port, b"GET / HTTP/1.1\r\nX: ") == b""
        await server.close()
    asyncio.run(main())


def test_connections_are_bounded() -> None:
    async def main() -> None:
        server = HttpServer(echo, connections=2)
        at = await server.start("127.0.0.1", 0)
        held = [await asyncio.open_connection("127.0.0.1", at.port) for _ in range(2)]
        while server.connections < 2:
            await asyncio.sleep(0)
        assert await ask(at.port, b"") == b""
        assert server.refused == 1
        for _, writer in held:
            writer.close()
            await writer.wait_closed()
        await server.close()
    asyncio.run(main())


def test_nonsense_and_long_headers_are_refused() -> None:
    async def main() -> None:
        server = HttpServer(echo)
        at = await server.start("127.0.0.1", 0)
        assert b" 400 " in await ask(at.port, b"nonsense\r\n\r\n")
        assert b" 400 " in await ask(at.port, b"GET / HTTP/1.1\r\nX: " + b"y" * 20000 + b"\r\n\r\n")
        await server.close()
    asyncio.run(main())


def test_a_port_in_use_is_a_network_error() -> None:
    async def main() -> None:
        one, two = HttpServer(echo), HttpServer(echo)
        at = await one.start("127.0.0.1", 0)
        with pytest.raises(NetworkError, match="cannot listen"):
            await two.start("127.0.0.1", at.port)
        await one.close()
        await two.close()
    asyncio.run(main())
