"""The sockets of port mapping: one object for each way of asking the default gateway to let peers in.

Only the gateway, or a device of the gateway's own network, is asked and believed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from random import Random
from typing import Final, Protocol, TypeVar

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError, RemoteError
from wildbach.base.ids import Endpoint
from wildbach.net.http import Response, ask_device
from wildbach.net.interfaces import Gateway, Interface, default_gateway, interfaces, own_address
from wildbach.net.outlet import Claim, anywhere
from wildbach.protocol.portmap import igd, natpmp, pcp, ssdp
from wildbach.protocol.portmap.igd import Fault
from wildbach.protocol.portmap.natpmp import Epoch

_FIRST_WAIT: Final = 0.25
_WAITS: Final = 5
"Tries of one datagram; each waits twice as long as the one before, 7.75 s in all."
_SEARCH_SECONDS: Final = 2.0
_DATAGRAM: Final = 2048
_NAT_PMP_CODES: Final = {"tcp": natpmp.TCP, "udp": natpmp.UDP}
_PCP_CODES: Final = {"tcp": pcp.TCP, "udp": pcp.UDP}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mapped:
    """A port that the router passes on to us."""

    method: str
    protocol: str
    internal: int
    external: int
    seconds: float
    "Until it ends; 0: not by itself."
    address: str = ""
    "The router's external address, where it says."
    secret: bytes = b""
    "What PCP wants to see again (the nonce)."


class Mapper(Protocol):
    """One way of asking."""

    method: str

    async def find(self) -> None:
        """Find the router and learn whether it understands. Raises NetworkError or RemoteError."""
        ...

    async def map(self, wanted: Mapped, seconds: int) -> Mapped:
        """Ask for a port, `wanted.external` where it can be had, or renew what was mapped. Raises NetworkError or
        RemoteError.
        """
        ...

    async def unmap(self, mapped: Mapped) -> None:
        """Raises NetworkError or RemoteError."""
        ...

    @property
    def lost(self) -> bool:
        """The router has forgotten what it mapped, since this was last asked."""
        ...


class _Line:
    """Datagrams to one router and back. Connected, so that nobody else's arrive."""

    def __init__(self, gateway: Gateway, own: str, port: int, claim: Claim) -> None:
        self._lock = asyncio.Lock()
        six = ":" in gateway.address
        self._sock = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._sock.setblocking(False)
            claim(self._sock, 6 if six else 4)
            if six:
                self._sock.bind((own, 0))
                self._sock.connect((gateway.address, port, 0, gateway.index))
            else:
                self._sock.connect((gateway.address, port))
            self.own = str(self._sock.getsockname()[0])
        except OSError as error:
            self._sock.close()
            raise NetworkError(error.strerror or "no socket") from None
        except NetworkError:
            self._sock.close()
            raise

    async def ask(self, request: bytes, read: Callable[[bytes], T | None]) -> T:
        """Send until `read` makes something of what comes back. Raises NetworkError where nothing does."""
        loop = asyncio.get_running_loop()
        async with self._lock:
            for number in range(_WAITS):
                try:
                    async with asyncio.timeout(_FIRST_WAIT * 2**number):
                        await loop.sock_sendall(self._sock, request)
                        while True:
                            data = await loop.sock_recv(self._sock, _DATAGRAM)
                            with contextlib.suppress(FormatError):
                                if (found := read(data)) is not None:
                                    return found
                except TimeoutError:
                    continue
                except OSError as error:
                    # Nobody listens there.
                    raise NetworkError(error.strerror or "no answer") from None
        raise NetworkError("the router does not answer")

    def close(self) -> None:
        self._sock.close()


class DatagramMapper:
    """PCP, and where the router is too old for it NAT-PMP. `family`: 6 opens the firewall, by PCP alone."""

    def __init__(
        self, family: int, rng: Random, clock: Callable[[], float], *,
        gateway: Callable[[int], Gateway | None] = default_gateway, own: Callable[[Gateway], str] = own_address,
        port: int = natpmp.PORT, claim: Claim = anywhere,
    ) -> None:
        self.method = "pcp"
        self._family = family
        self._rng = rng
        self._clock = clock
        self._gateway = gateway
        self._own = own
        self._port = port
        self._claim = claim
        self._epoch = Epoch()
        self._lost = False
        self._address = ""

    @property
    def lost(self) -> bool:
        lost, self._lost = self._lost, False
        return lost

    def _line(self) -> _Line:
        gateway = self._gateway(self._family)
        if gateway is None:
            raise NetworkError("there is no router")
        own = self._own(gateway)
        if not own:
            raise NetworkError("this machine has no address that could be called")
        return _Line(gateway, own, self._port, self._claim)

    def _saw(self, epoch: int) -> None:
        if self._epoch.lost(epoch, self._clock()):
            self._lost = True

    async def find(self) -> None:
        self.method, self._address = "pcp", ""
        with contextlib.closing(self._line()) as line:
            found = await line.ask(pcp.announce_request(line.own), _announced)
            if found.result == pcp.Result.UNSUPP_VERSION and self._family == 4:
                self.method = "natpmp"
                reply = await line.ask(natpmp.ADDRESS_REQUEST, _address)
                if reply.result:
                    raise RemoteError(_refusal(natpmp.Result, reply.result))
                self._address = reply.address
                self._saw(reply.epoch)
            elif found.result not in (pcp.Result.SUCCESS, pcp.Result.UNSUPP_OPCODE):
                raise RemoteError(_refusal(pcp.Result, found.result))
            else:
                self._saw(found.epoch)

    async def map(self, wanted: Mapped, seconds: int) -> Mapped:
        with contextlib.closing(self._line()) as line:
            if self.method == "natpmp":
                return await self._by_nat_pmp(line, wanted, seconds)
            return await self._by_pcp(line, wanted, seconds)

    async def unmap(self, mapped: Mapped) -> None:
        with contextlib.closing(self._line()) as line:
            if mapped.method == "natpmp":
                await self._by_nat_pmp(line, replace(mapped, external=0), 0)
            else:
                await self._by_pcp(line, mapped, 0)

    async def _by_nat_pmp(self, line: _Line, wanted: Mapped, seconds: int) -> Mapped:
        code = _NAT_PMP_CODES[wanted.protocol]

        def read(data: bytes) -> natpmp.MappingReply | None:
            reply = natpmp.decode(data)
            fits = isinstance(reply, natpmp.MappingReply) and reply.protocol == code and (
                reply.internal == wanted.internal or bool(reply.result))
            return reply if fits and isinstance(reply, natpmp.MappingReply) else None

        reply = await line.ask(natpmp.mapping_request(code, wanted.internal, wanted.external, seconds), read)
        self._saw(reply.epoch)
        if reply.result:
            raise RemoteError(_refusal(natpmp.Result, reply.result))
        return Mapped("natpmp", wanted.protocol, wanted.internal, reply.external, reply.lifetime, self._address)

    async def _by_pcp(self, line: _Line, wanted: Mapped, seconds: int) -> Mapped:
        code = _PCP_CODES[wanted.protocol]
        nonce = wanted.secret or self._rng.randbytes(pcp.NONCE_BYTES)

        def read(data: bytes) -> pcp.Reply | None:
            reply = pcp.decode(data)
            if reply.opcode != pcp.MAP or (reply.mapping is None and not reply.result):
                return None
            found = reply.mapping
            fits = found is None or (found.nonce, found.protocol, found.internal) == (nonce, code, wanted.internal)
            return reply if fits else None

        request = pcp.map_request(
            line.own, nonce, code, wanted.internal, external=wanted.external, address=wanted.address, lifetime=seconds)
        reply = await line.ask(request, read)
        self._saw(reply.epoch)
        if reply.result or reply.mapping is None:
            raise RemoteError(_refusal(pcp.Result, reply.result))
        found = reply.mapping
        return Mapped("pcp", wanted.protocol, wanted.internal, found.external, reply.lifetime, found.address, nonce)


def _announced(data: bytes) -> pcp.Reply | None:
    reply = pcp.decode(data)
    return reply if reply.opcode == pcp.ANNOUNCE or reply.result else None


def _address(data: bytes) -> natpmp.AddressReply | None:
    reply = natpmp.decode(data)
    return reply if isinstance(reply, natpmp.AddressReply) else None


def _refusal(codes: type[natpmp.Result] | type[pcp.Result], number: int) -> str:
    name = next((code.name for code in codes if code == number), f"error {number}")
    return "the router refuses: " + name.lower().replace("_", " ")


Ask = Callable[..., Awaitable[Response]]


class UpnpMapper:
    """UPnP: the router is searched for by multicast on the gateway's interface, described by XML, asked by SOAP."""

    def __init__(
        self, rng: Random, *, gateway: Callable[[int], Gateway | None] = default_gateway,
        own: Callable[[Gateway], str] = own_address, find: Callable[[], tuple[Interface, ...]] = interfaces,
        at: Endpoint = ssdp.GROUP, ask: Ask = ask_device, description: str = "wildbach",
        claim: Claim = anywhere,
    ) -> None:
        self.method = "upnp"
        self.lost = False
        "UPnP does not tell; what was lost is mapped again at the next renewal."
        self._rng = rng
        self._gateway = gateway
        self._own = own
        self._find = find
        self._at = at
        self._ask = ask
        self._description = description
        self._claim = claim
        self._host = ""
        self._own_host = ""
        self._service: igd.Service | None = None
        self._permanent = False
        "The router knows no leases."
        self.device = ""

    async def find(self) -> None:
        gateway = self._gateway(4)
        if gateway is None:
            raise NetworkError("there is no router")
        own = self._own(gateway)
        if not own:
            raise NetworkError("this machine has no address of its own")
        problem: NetworkError | RemoteError = NetworkError("no UPnP router answers")
        answers = await self._search(gateway, own)
        answers.sort(key=lambda found: found.host != gateway.address)
        for found in answers[: limits.SSDP_DEVICES]:
            try:
                await self._describe(found)
            except (NetworkError, RemoteError) as error:
                problem = error
                continue
            self._own_host = own
            return
        raise problem

    async def _search(self, gateway: Gateway, own: str) -> list[ssdp.Found]:
        """Who answers. Returns early where the default gateway does."""
        loop = asyncio.get_running_loop()
        networks = [a.network for i in self._find() if i.index == gateway.index for a in i.addresses]
        found: dict[str, ssdp.Found] = {}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            try:
                self._claim(sock, 4)
                sock.bind((own, 0))
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 2)
                sock.setsockopt(
                    socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s", ip_address(own).packed))
                # Datagrams get lost, so twice.
                for target in ssdp.TARGETS * 2:
                    sock.sendto(ssdp.search(target), self._at)
                async with asyncio.timeout(_SEARCH_SECONDS + 1.0):
                    while len(found) < 4 * limits.SSDP_DEVICES:
                        data, sender = await loop.sock_recvfrom(sock, limits.SSDP_BYTES + 1)
                        if not any(ip_address(sender[0]) in network for network in networks):
                            continue
                        with contextlib.suppress(FormatError):
                            answer = ssdp.decode(data, sender[0])
                            if answer is not None:
                                found.setdefault(answer.location, answer)
                                if answer.host == gateway.address:
                                    break
            except TimeoutError:
                pass
            except OSError as error:
                raise NetworkError(error.strerror or "cannot search") from None
        return list(found.values())

    async def _describe(self, found: ssdp.Found) -> None:
        reply = await self._ask(
            found.location, found.host, limit=limits.IGD_XML_BYTES, seconds=limits.IGD_SECONDS)
        if reply.status != 200:
            raise RemoteError(f"the router's description: HTTP {reply.status}")
        device = igd.parse_description(reply.body, found.location, found.host)
        if not device.services:
            raise RemoteError("the router has no service that maps ports")
        self._host, self.device = found.host, device.name
        problem: NetworkError | RemoteError | None = None
        for service in device.services:
            # Routers list services of connections that they do not use; those have no address.
            self._service = service
            try:
                if await self._address():
                    return
            except (NetworkError, RemoteError) as error:
                problem = problem or error
        if problem is not None:
            raise problem
        self._service = device.services[0]

    async def _call(self, service: igd.Service, call: igd.Call) -> dict[str, str]:
        reply = await self._ask(
            service.control, self._host, method="POST", body=call.body, limit=limits.IGD_XML_BYTES,
            seconds=limits.IGD_SECONDS,
            headers={"Content-Type": 'text/xml; charset="utf-8"', "SOAPAction": call.header},
        )
        return igd.parse_reply(call, reply.status, reply.body)

    async def _address(self) -> str:
        service = self._asked()
        return igd.address_of(await self._call(service, igd.external_address(service.kind)))

    def _asked(self) -> igd.Service:
        if self._service is None:
            raise NetworkError("no router was found")
        return self._service

    async def map(self, wanted: Mapped, seconds: int) -> Mapped:
        """Tries other external ports where the wished one is taken, and leases for ever where there are no others."""
        service = self._asked()
        protocol, internal = wanted.protocol, wanted.internal
        port, any_port, tries = wanted.external or internal, service.picks_port, limits.PORTMAP_TRIES
        while True:
            lease = 0 if self._permanent else seconds
            call = igd.add_mapping(
                service.kind, protocol.upper(), port, internal, self._own_host, lease,
                description=self._description, any_port=any_port,
            )
            try:
                reply = await self._call(service, call)
            except igd.Refused as refused:
                if refused.fault in (Fault.ONLY_PERMANENT_LEASES, Fault.INVALID_ARGS) and lease:
                    self._permanent = True
                elif any_port and refused.fault in (Fault.INVALID_ACTION, Fault.INVALID_ARGS, 602, 0):
                    any_port = False
                elif refused.fault == Fault.SAME_PORT_VALUES and port != internal:
                    port, tries = internal, 0
                elif refused.fault in (
                    Fault.CONFLICT, Fault.CONFLICT_WITH_OTHER_MECHANISMS, Fault.ACTION_FAILED
                ) and tries:
                    tries -= 1
                    port = self._rng.randrange(20_000, 60_000)
                else:
                    raise
                continue
            granted = igd.port_of(reply) if any_port else port
            with contextlib.suppress(NetworkError, RemoteError):
                return Mapped("upnp", protocol, internal, granted, lease, await self._address())
            return Mapped("upnp", protocol, internal, granted, lease)

    async def unmap(self, mapped: Mapped) -> None:
        service = self._asked()
        await self._call(service, igd.delete_mapping(service.kind, mapped.protocol.upper(), mapped.external))
