"""Encrypted fetches through a proxy, of a server with a certificate from an authority that the test made."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.proxyserver import GRANTED, forever, greet, proxy

from wildbach.base.errors import NetworkError
from wildbach.net.http import HttpClient
from wildbach.net.proxy import Proxy
from wildbach.net.resolve import Guard, Purpose

NAME = "tracker.example"
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The authority's certificate; that of `tracker.example`, with its key."""
    folder = tmp_path_factory.mktemp("certificates")
    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of a test")])
    now = datetime.datetime.now(datetime.UTC)

    def certificate(name: x509.Name, key: ec.EllipticCurvePrivateKey, authority: bool) -> bytes:
        builder = (
            x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False)
        )
        if not authority:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        return builder.sign(root, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    trusted, served = folder / "authority.pem", folder / "server.pem"
    trusted.write_bytes(certificate(issuer, root, True))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    served.write_bytes(certificate(subject, leaf, False) + leaf.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return trusted, served


class Far:
    """A TLS server, and a proxy of each kind that leads to it whatever it is asked for."""

    def __init__(self) -> None:
        self.port = 0
        self.names: list[str | None] = []
        "What clients said they want (SNI)."
        self.requests: list[bytes] = []
        self.asked: list[bytes] = []
        "What the proxy was asked for."
        self.passed = bytearray()
        "What the proxy saw of what clients said to the server."

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(REPLY)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await greet(reader, writer))
        writer.write(GRANTED)
        await self._relay(reader, writer)

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await self._relay(reader, writer)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.port)

        async def copy() -> None:
            while data := await there.read(65536):
                writer.write(data)
            writer.close()

        async with asyncio.TaskGroup() as group:
            group.create_task(copy())
            try:
                while data := await reader.read(65536):
                    self.passed += data
                    back.write(data)
            finally:
                back.close()


@asynccontextmanager
async def behind(kind: str, served: Path) -> AsyncIterator[tuple[Far, Proxy]]:
    far = Far()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(served)
    context.sni_callback = lambda _socket, name, _context: far.names.append(name)
    server = await asyncio.start_server(far.serve, "127.0.0.1", 0, ssl=context)
    far.port = server.sockets[0].getsockname()[1]
    try:
        async with proxy(far.socks if kind == "socks5" else far.connect, kind) as found:
            yield far, found
    finally:
        server.close()
        await server.wait_closed()


async def fetched(found: Proxy, url: str) -> bytes:
    client = HttpClient(Guard(None), proxy=found)
    try:
        return (await client.fetch(url, purpose=Purpose.TRACKER, limit=1000, seconds=60)).body
    finally:
        await client.close()


@pytest.mark.parametrize(("kind", "asked"), [
    ("socks5", b"\5\1\0\3tracker.example\x01\xbb"), ("http", b"CONNECT tracker.example:443 HTTP/1.1\r\n"),
])
def test_the_server_behind_a_proxy_is_who_its_certificate_says_and_the_proxy_reads_nothing(
    kind: str, asked: bytes, made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch,
) -> None:
    trusted, served = made
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))

    async def main() -> None:
        async with behind(kind, served) as (far, found):
            assert await fetched(found, f"https://{NAME}/announce?key=hidden") == b"secret"
            assert far.names == [NAME] and far.requests[0].startswith(b"GET /announce?key=hidden HTTP/1.1\r\n")
            assert far.asked[0].startswith(asked) and b"hidden" not in bytes(far.passed) + far.asked[0]
            assert await fetched(found, f"https://{NAME}./announce") == b"secret", "a whole name, with the dot"
            assert far.names == [NAME] * 2

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["socks5", "http"])
@pytest.mark.parametrize(("host", "trust"), [("other.example", True), ("25.1.2.3", True), (NAME, False)])
def test_behind_a_proxy_no_server_can_pass_for_another(
    kind: str, host: str, trust: bool, made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch,
) -> None:
    trusted, served = made
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted if trust else "/nonexistent"))

    async def main() -> None:
        async with behind(kind, served) as (far, found):
            with pytest.raises(NetworkError, match="certificate is not valid"):
                await fetched(found, f"https://{host}/announce")
            assert far.requests == [] and not found.failure

    asyncio.run(main())


@pytest.mark.parametrize(("does", "says"), [
    ("stalls", "no secure connection within the time allowed"), ("leaves", "no connection"),
    ("speaks plainly", "no secure connection"),
])
def test_a_far_end_that_does_not_get_through_a_handshake_costs_little_time(
    does: str, says: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wildbach.net.http._CONNECT_SECONDS", 0.3)

    async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        writer.write(GRANTED)
        await reader.read(1)
        if does == "speaks plainly":
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        if does != "leaves":
            await forever(reader)

    async def main() -> None:
        async with proxy(story) as found, asyncio.timeout(60):
            with pytest.raises(NetworkError, match=says):
                await fetched(found, f"https://{NAME}/announce")
            assert not found.failure

    asyncio.run(main())
