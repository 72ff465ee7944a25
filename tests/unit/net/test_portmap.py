"""Asking routers, played on loopback: good ones, old ones, and those that answer garbage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_interface
from random import Random
from typing import cast

import pytest

from wildbach.base.errors import NetworkError, RemoteError
from wildbach.base.ids import Endpoint
from wildbach.net import portmap
from wildbach.net.interfaces import Gateway, Interface
from wildbach.net.portmap import DatagramMapper, Mapped, UpnpMapper
from wildbach.protocol.portmap import igd, natpmp, pcp

GATEWAY = Gateway("127.0.0.1", "lo", 1)
WANTED = Mapped("", "tcp", 6881, 6881, 0.0)
Answer = Callable[[bytes], list[bytes]]


class Udp(asyncio.DatagramProtocol):
    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.asked.append(data)
        for reply in self.answer(data):
            self.transport.sendto(reply, address)


@asynccontextmanager
async def router(answer: Answer) -> AsyncIterator[tuple[Udp, int]]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: Udp(answer), local_addr=("127.0.0.1", 0))
    try:
        yield protocol, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def mapper(port: int) -> DatagramMapper:
    return DatagramMapper(
        4, Random(1), asyncio.get_running_loop().time, gateway=lambda family: GATEWAY, own=lambda gateway: "127.0.0.1",
        port=port,
    )


def pcp_reply(request: bytes, *, result: int = 0, epoch: int = 100, nonce: bytes = b"") -> bytes:
    head = bytes((2, request[1] | 0x80, 0, result)) + request[4:8] + epoch.to_bytes(4, "big") + bytes(12)
    if request[1] == pcp.ANNOUNCE:
        return head
    body = request[24:42] + (b"\x1f\x90" if request[4:8] != bytes(4) else bytes(2))
    return head + (nonce or body[:12]) + body[12:] + bytes(10) + b"\xff\xff\x09\x09\x09\x01"


def run(answer: Answer, story: Callable[[DatagramMapper, Udp], Awaitable[None]]) -> None:
    async def main() -> None:
        async with router(answer) as (udp, port):
            await story(mapper(port), udp)

    asyncio.run(main())


def test_pcp_maps_and_gives_back_with_the_same_nonce() -> None:
    async def story(ours: DatagramMapper, udp: Udp) -> None:
        await ours.find()
        mapped = await ours.map(WANTED, 3600)
        assert (mapped.method, mapped.external, mapped.seconds, mapped.address) == ("pcp", 8080, 3600, "9.9.9.1")
        await ours.unmap(mapped)
        assert udp.asked[-1][24:36] == mapped.secret == udp.asked[-2][24:36] and len(mapped.secret) == 12
        assert udp.asked[-1][4:8] == bytes(4) and not ours.lost

    run(lambda request: [pcp_reply(request)], story)


def test_garbage_and_forged_replies_before_the_good_one_are_passed_over() -> None:
    def answer(request: bytes) -> list[bytes]:
        forged = pcp_reply(request, nonce=b"forged-nonce") if request[1] == pcp.MAP else b"\0"
        return [b"", b"\xff" * 7, bytes(1500), request, forged, pcp_reply(request)]

    async def story(ours: DatagramMapper, udp: Udp) -> None:
        await ours.find()
        assert (await ours.map(WANTED, 3600)).external == 8080

    run(answer, story)


def test_an_old_router_is_asked_by_nat_pmp() -> None:
    def answer(request: bytes) -> list[bytes]:
        if request[0] == pcp.VERSION:
            return [bytes.fromhex("0080000100000064")]
        if request == natpmp.ADDRESS_REQUEST:
            return [bytes.fromhex("008000000000006409090901")]
        head = bytes((0, request[1] + 128, 0, 0)) + (100).to_bytes(4, "big")
        return [head + request[4:6] + b"\x1f\x90" + request[8:]]

    async def story(ours: DatagramMapper, udp: Udp) -> None:
        await ours.find()
        mapped = await ours.map(WANTED, 3600)
        assert (mapped.method, mapped.external, mapped.address) == ("natpmp", 8080, "9.9.9.1")
        await ours.unmap(mapped)
        assert udp.asked[-1] == natpmp.mapping_request(natpmp.TCP, 6881, 0, 0)

    run(answer, story)


def test_a_refusal_is_told_in_words() -> None:
    async def story(ours: DatagramMapper, udp: Udp) -> None:
        await ours.find()
        with pytest.raises(RemoteError, match="no resources"):
            await ours.map(WANTED, 3600)

    run(lambda request: [pcp_reply(request, result=8 if request[1] == pcp.MAP else 0)], story)


def test_a_router_that_was_restarted_is_noticed() -> None:
    epochs = iter((5000, 5000, 3))

    async def story(ours: DatagramMapper, udp: Udp) -> None:
        await ours.find()
        await ours.map(WANTED, 3600)
        assert not ours.lost
        await ours.map(WANTED, 3600)
        assert ours.lost and not ours.lost

    run(lambda request: [pcp_reply(request, epoch=next(epochs))], story)


def test_silence_ends_after_some_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portmap, "_FIRST_WAIT", 0.002)

    async def story(ours: DatagramMapper, udp: Udp) -> None:
        with pytest.raises(NetworkError, match="does not answer"):
            await ours.find()
        assert 1 <= len(udp.asked) <= 5

    run(lambda request: [], story)


def test_without_a_router_nothing_is_asked() -> None:
    async def main() -> None:
        ours = DatagramMapper(4, Random(1), lambda: 0.0, gateway=lambda family: None)
        for finding in (ours.find(), UpnpMapper(Random(1), gateway=lambda family: None).find()):
            with pytest.raises(NetworkError, match="no router"):
                await finding

    asyncio.run(main())


# -- UPnP


SERVICE = igd.SERVICES[1]


def describe(kind: str = SERVICE, control: str = "/ctl") -> bytes:
    return (
        f"<root><device><friendlyName>R</friendlyName><serviceList><service><serviceType>{kind}</serviceType>"
        f"<controlURL>{control}</controlURL></service></serviceList></device></root>"
    ).encode()


class Igd:
    """A router over HTTP and SSDP. `faults`: what AddPortMapping answers before it works."""

    def __init__(self, *faults: int, kind: str = SERVICE) -> None:
        self.faults = list(faults)
        self.kind = kind
        self.page: bytes | None = None
        self.status = "200 OK"
        self.location = "http://127.0.0.1:{port}/desc.xml"
        self.requests: list[tuple[str, str]] = []
        self.port = 0

    def description(self) -> bytes:
        return self.page if self.page is not None else describe(self.kind)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
        body = (await reader.readexactly(length)).decode()
        status, reply = self.answer(head, body)
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: {len(reply)}\r\nLocation: http://127.0.0.1:1/\r\n"
            "Connection: close\r\n\r\n".encode() + reply)
        await writer.drain()
        writer.close()

    def answer(self, head: str, body: str) -> tuple[str, bytes]:
        if head.startswith("GET"):
            return self.status, self.description()
        action = head.partition("#")[2].partition('"')[0]
        self.requests.append((action, body))
        if action.startswith("Add") and self.faults:
            code = self.faults.pop(0)
            return "500 Internal Server Error", (
                f"<e><Fault><UPnPError><errorCode>{code}</errorCode></UPnPError></Fault></e>").encode()
        inner = {
            "GetExternalIPAddress": "<NewExternalIPAddress>9.9.9.1</NewExternalIPAddress>",
            "AddAnyPortMapping": "<NewReservedPort>7777</NewReservedPort>",
        }.get(action, "")
        return "200 OK", f"<e><u:{action}Response>{inner}</u:{action}Response></e>".encode()

    def search(self, request: bytes) -> list[bytes]:
        location = self.location.format(port=self.port)
        return [b"garbage", (
            "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
            f"Location: {location}\r\n\r\n"
        ).encode()]

    def asked(self, action: str, name: str) -> list[str]:
        return [body.partition(f"<{name}>")[2].partition("<")[0] for said, body in self.requests if said == action]


async def upnp(device: Igd, *, near: str = "127.0.0.0/8") -> tuple[UpnpMapper, Callable[[], Awaitable[None]]]:
    server = await asyncio.start_server(device.serve, "127.0.0.1", 0)
    device.port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Udp(device.search), local_addr=("127.0.0.1", 0))
    at = Endpoint("127.0.0.1", transport.get_extra_info("sockname")[1])

    async def close() -> None:
        transport.close()
        server.close()
        await server.wait_closed()

    lo = Interface("lo", 1, addresses=(ip_interface(near),))
    return UpnpMapper(
        Random(1), gateway=lambda family: GATEWAY, own=lambda gateway: "127.0.0.1", find=lambda: (lo,), at=at,
    ), close


def with_upnp(device: Igd, story: Callable[[UpnpMapper], Awaitable[None]], *, near: str = "127.0.0.1/8") -> None:
    async def main() -> None:
        ours, close = await upnp(device, near=near)
        try:
            await story(ours)
        finally:
            await close()

    asyncio.run(main())


def mapping(device: Igd, wanted: Mapped = WANTED) -> Mapped:
    found: list[Mapped] = []

    async def story(ours: UpnpMapper) -> None:
        await ours.find()
        found.append(await ours.map(wanted, 3600))
        await ours.unmap(found[0])

    with_upnp(device, story)
    return found[0]


def test_upnp_maps_and_deletes() -> None:
    device = Igd()
    mapped = mapping(device)
    assert (mapped.external, mapped.seconds, mapped.address) == (6881, 3600, "9.9.9.1")
    assert device.asked("AddPortMapping", "NewInternalClient") == ["127.0.0.1"]
    assert device.asked("DeletePortMapping", "NewExternalPort") == ["6881"]


def test_a_gateway_of_version_two_picks_the_port() -> None:
    assert mapping(Igd(kind=igd.SERVICES[0])).external == 7777


def test_one_that_does_not_after_all_is_asked_the_old_way() -> None:
    device = Igd(401, kind=igd.SERVICES[0])
    assert mapping(device).external == 6881


@pytest.mark.parametrize("code", [725, 402])
def test_a_router_that_knows_no_leases_maps_for_good(code: int) -> None:
    device = Igd(code)
    assert mapping(device).seconds == 0
    assert device.asked("AddPortMapping", "NewLeaseDuration") == ["3600", "0"]


def test_a_taken_port_is_exchanged_for_another() -> None:
    device = Igd(718, 718)
    mapped = mapping(device)
    ports = device.asked("AddPortMapping", "NewExternalPort")
    assert len(set(ports)) == 3 and mapped.external == int(ports[-1]) >= 20_000


def test_a_router_that_wants_both_ports_alike_gets_them() -> None:
    device = Igd(724)
    assert mapping(device, Mapped("", "udp", 6881, 9999, 0.0)).external == 6881


@pytest.mark.parametrize("faults", [[718] * 20, [606], [999], [402, 402, 402]])
def test_a_router_that_refuses_is_not_asked_for_ever(faults: list[int]) -> None:
    device = Igd(*faults)

    async def story(ours: UpnpMapper) -> None:
        await ours.find()
        with pytest.raises(igd.Refused):
            await ours.map(WANTED, 3600)

    with_upnp(device, story)
    assert len(device.requests) < 12


@pytest.mark.parametrize("page", [
    b"", b"<html>", b"<!DOCTYPE r><r/>", b"<r>" + b"x" * (1 << 17) + b"</r>", describe("urn:other:1"),
    describe(control="http://8.8.8.8/ctl"), describe(control="//evil.example/ctl"),
])
def test_a_description_that_is_garbage_leads_nowhere(page: bytes) -> None:
    device = Igd()
    device.page = page

    async def story(ours: UpnpMapper) -> None:
        with pytest.raises((RemoteError, NetworkError)):
            await ours.find()

    with_upnp(device, story)
    assert device.requests == []


def test_a_redirect_is_not_followed() -> None:
    device = Igd()
    device.status = "302 Found"

    async def story(ours: UpnpMapper) -> None:
        with pytest.raises(RemoteError, match="HTTP 302"):
            await ours.find()

    with_upnp(device, story)


@pytest.mark.parametrize(("location", "near"), [
    ("http://127.0.0.2:{port}/desc.xml", "127.0.0.1/8"), ("http://127.0.0.1:{port}/desc.xml", "10.0.0.1/8"),
])
def test_who_points_elsewhere_or_is_of_another_network_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, location: str, near: str,
) -> None:
    monkeypatch.setattr(portmap, "_SEARCH_SECONDS", -0.8)
    device = Igd()
    device.location = location

    async def story(ours: UpnpMapper) -> None:
        with pytest.raises(NetworkError, match="no UPnP router"):
            await ours.find()

    with_upnp(device, story, near=near)
