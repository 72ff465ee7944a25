"""Everything by way of a proxy: streams through SOCKS5 or HTTP CONNECT, datagrams through a SOCKS5 association.

Names are looked up by the proxy, so that no name server near us hears of them. Nothing goes past the proxy: while it
does not answer, calls fail, and datagrams are lost.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from wildbach.base import addresses, limits
from wildbach.base.addresses import DISTANCE, Reach
from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.listening import datagram_socket
from wildbach.net.outlet import AWAY, Outlet
from wildbach.net.resolve import Resolver
from wildbach.net.tcp import TcpTransport
from wildbach.net.transport import Connection, Listener
from wildbach.net.udp import Data, Handler
from wildbach.protocol.proxy import CLOSED, PROTOCOL, SLOW, ProxyAddress, ProxyError, Tunnel, Unreachable, socks
from wildbach.runtime.tasks import Scope

_BATCH: Final = 256
"Datagrams read in one turn of the loop."
_BUFFER: Final = 4 << 20
_RETRY_FIRST: Final = 1.0
_KEEP_ALIVE: Final = {"TCP_KEEPIDLE": 45, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 3}
"Seconds of silence before the first question and between more, and how many are not answered: 90 seconds in all."
_BEHIND_SECONDS: Final = 2.0
_NO_PROXY: Final = frozenset((301, 302, 303, 307, 308, 400, 401, 404, 405, 501))
"HTTP statuses by which a server of pages, asked to connect to itself, shows that it is no proxy."
_ADDRESSES: Final = 3
"Of a proxy's name, tried in turn."


@dataclass(frozen=True, slots=True)
class ProxyView:
    proxy: str
    "Without user and password."
    failure: str
    "Why it could not be used the last time, in plain words; empty where it could."
    cause: str
    "The code of that failure, as `proxy_login`; empty where there is none."
    doubt: str
    "Why it was not seen to connect when it was examined, though it speaks as it should; empty where it was seen to."
    datagrams: str
    "What comes of datagrams: `passed on`, or why not, or what is waited for; empty where none are asked for."


class Proxy:
    """One proxy. `resolver` looks up its own name and nothing else."""

    def __init__(self, address: ProxyAddress, outlet: Outlet, resolver: Resolver) -> None:
        self.address = address
        self._outlet = outlet
        self._resolver = resolver
        self._worked = ""
        "The address at which it was there the last time."
        self.failure = ""
        "Why it could not be used the last time, in plain words."
        self.cause = ""
        "The code of that."
        self.doubt = ""
        "Why `check` did not see it connect, though it speaks as it should."

    async def open(self, host: str, port: int) -> socket.socket:
        """A socket whose far end is at an address, or at a name that the proxy looks up. Raises ProxyError,
        Unreachable, or NetworkError where nothing can leave.
        """
        return await self.converse(self.address.tunnel(host, port))

    async def converse(self, tunnel: Tunnel) -> socket.socket:
        """The same for any request."""
        try:
            sock = await self._ask(tunnel)
        except ProxyError as error:
            self.note(error)
            raise
        except Unreachable:
            self.note(None)
            raise
        self.note(None)
        return sock

    async def _ask(self, tunnel: Tunnel) -> socket.socket:
        owes = True
        try:
            async with asyncio.timeout(limits.PROXY_SECONDS):
                sock = await self._connect()
                try:
                    # An HTTP proxy is silent as long as it tries to connect: that need not be its own fault.
                    owes = self.address.kind != "http"
                    async for whole in _talk(sock, tunnel):
                        owes = not whole
                except BaseException:
                    sock.close()
                    raise
        except TimeoutError:
            if owes:
                raise ProxyError(f"the proxy {self.address} does not answer") from None
            raise Unreachable(
                f"the proxy did not connect within {limits.PROXY_SECONDS:g} seconds", code=SLOW) from None
        return sock

    async def reach(self) -> socket.socket:
        """A socket whose far end is the proxy itself. Raises ProxyError, or NetworkError where nothing can leave."""
        try:
            async with asyncio.timeout(limits.PROXY_SECONDS):
                return await self._connect()
        except TimeoutError:
            silent = ProxyError(f"the proxy {self.address} does not answer")
            self.note(silent)
            raise silent from None
        except ProxyError as error:
            self.note(error)
            raise

    async def check(self) -> None:
        """Have it connect to itself, which disturbs nobody else. `failure` tells what is wrong with it, `doubt` that it
        speaks as it should and yet did not connect; it may well do so to others.
        """
        place = self.address.host, self.address.port
        self.doubt = ""
        try:
            with await self.converse(self.address.tunnel(*place)) as sock:
                if self.address.kind == "http":
                    await _ask_behind(sock, self.address.tunnel(*place))
        except Unreachable as error:
            self._doubt(error)
        except NetworkError as error:
            self.note(error)

    def _doubt(self, error: Unreachable) -> None:
        status = error.facts.get("status", 0)
        if self.address.kind == "http" and error.code == SLOW:
            self.note(ProxyError(f"the proxy {self.address} takes the connection and does not answer"))
        elif status in _NO_PROXY:
            self.note(ProxyError(
                f"what is there does not speak HTTP CONNECT: it answers with HTTP {status}", code=PROTOCOL))
        else:
            self.doubt = error.message

    async def _locate(self) -> list[str]:
        """The proxy's addresses. Raises ProxyError."""
        if addresses.parse(self.address.host) is not None:
            return [self.address.host]
        try:
            return await self._resolver.resolve(self.address.host, 0)
        except NetworkError as error:
            raise ProxyError(f"the proxy {self.address}: {error.message}", code=_finer(error)) from None

    async def _connect(self) -> socket.socket:
        """Each address of the proxy's name has an equal share of the time that is left; the one that worked last is
        tried first.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + limits.PROXY_SECONDS
        problem: NetworkError = ProxyError(f"the proxy {self.address} has no address")
        hosts = sorted((await self._locate())[:_ADDRESSES], key=lambda host: host != self._worked)
        for number, host in enumerate(hosts):
            try:
                sock = self._outlet.call_socket(6 if ":" in host else 4)
            except NetworkError as error:
                problem = error
                continue
            try:
                async with asyncio.timeout((end - loop.time()) / (len(hosts) - number)):
                    await loop.sock_connect(sock, (host, self.address.port))
            except TimeoutError:
                sock.close()
                problem = ProxyError(f"the proxy {self.address} does not answer")
            except OSError as error:
                sock.close()
                problem = ProxyError(f"the proxy {self.address} cannot be reached: {_reason(error)}")
            except BaseException:
                sock.close()
                raise
            else:
                self._worked = host
                return sock
        raise problem

    def claim(self, sock: socket.socket, family: int) -> None:
        """Tie a socket to the interface by which the proxy is reached."""
        self._outlet.claim(sock, family)

    def note(self, error: NetworkError | None) -> None:
        """What came of using it: why it could not be, or nothing."""
        self.failure, self.cause = (error.message, error.code) if error is not None else ("", "")


async def _ask_behind(sock: socket.socket, tunnel: Tunnel) -> None:
    """Ask an HTTP proxy, through itself, a second time: a server of pages that says yes to everything goes on with a
    page. That it does not want to talk to itself is no fault. Raises ProxyError.
    """
    try:
        async with asyncio.timeout(_BEHIND_SECONDS):
            async for _ in _talk(sock, tunnel):
                pass
    except (TimeoutError, Unreachable):
        return
    except ProxyError as error:
        if error.code == PROTOCOL:
            raise


def _finer(error: NetworkError) -> str | None:
    """That nothing can leave is not the proxy's doing."""
    return error.code if error.code == AWAY else None


def _relay_host(said: str, proxy: str) -> str:
    """Where to send datagrams: to the address that the proxy said, but not nearer to us than the proxy itself is, where
    it could have us speak to something that only we can reach.
    """
    reach = addresses.classify(said)
    near = DISTANCE[reach] < DISTANCE[addresses.classify(proxy)]
    return proxy if near or reach is Reach.FORBIDDEN else said


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)


async def _talk(sock: socket.socket, tunnel: Tunnel) -> AsyncIterator[bool]:
    """Yields after each piece of what the proxy says: whether that is a whole answer."""
    loop = asyncio.get_running_loop()
    heard = False
    try:
        await loop.sock_sendall(sock, tunnel.begin())
        while not tunnel.done:
            data = await loop.sock_recv(sock, tunnel.wants)
            if not data:
                raise ProxyError(
                    "the proxy closed the connection" if heard else "the proxy closed the connection without an answer",
                    code=CLOSED)
            heard = True
            say = tunnel.received(data)
            if say:
                await loop.sock_sendall(sock, say)
            yield bool(say) or tunnel.done
    except OSError as error:
        raise ProxyError(f"the proxy broke the connection: {_reason(error)}", code=CLOSED) from None


def _keep_alive(sock: socket.socket) -> None:
    """Have the kernel ask now and then whether the far end is still there: nothing else is ever said on this stream, so
    routers forget it, and a proxy that died would not be missed.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEP_ALIVE.items():
        number = getattr(socket, option, None)
        if number is not None:
            sock.setsockopt(socket.IPPROTO_TCP, number, value)


class Patience:
    """How long to wait before the next try: twice as long each time, up to PROXY_RETRY_SECONDS. What lasted that long
    was no failure.
    """

    def __init__(self) -> None:
        self._next = _RETRY_FIRST

    def after(self, lasted: float) -> float:
        """Seconds to wait after an association that was there for `lasted` seconds."""
        if lasted >= limits.PROXY_RETRY_SECONDS:
            self._next = _RETRY_FIRST
        wait, self._next = self._next, min(2 * self._next, limits.PROXY_RETRY_SECONDS)
        return wait


class ProxiedTransport:
    """Calls peers through a proxy. Nobody can call: there is nothing to listen at."""

    def __init__(self, proxy: Proxy, tcp: TcpTransport) -> None:
        self._proxy = proxy
        self._tcp = tcp

    async def dial(self, remote: Endpoint) -> Connection:
        return self._tcp.adopt(await self._proxy.open(remote.host, remote.port), remote)

    async def listen(self, at: Endpoint, accept: Callable[[Connection], None]) -> Listener:
        raise NetworkError("behind a proxy nobody can call", code="behind_proxy")


class ProxiedDatagrams:
    """Datagrams through a SOCKS5 association, which is made again whenever it ends. A datagram may go to a name; what
    comes has an address. While there is no association all is lost.
    """

    def __init__(self, proxy: Proxy, scope: Scope, report: Callable[[Exception], None]) -> None:
        self._proxy = proxy
        self._scope = scope
        self._report = report
        self._handlers: list[Handler] = []
        self._sock: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._since = 0.0
        "When the association was made."
        self._near = False
        "The proxy is on this machine."
        self.failure = ""
        "Why datagrams are not passed on, in plain words; empty where they are, or soon will be."
        self.sent = 0
        self.lost = 0
        self.received = 0
        self.unclaimed = 0

    # -- DatagramService

    def open(self, at: Iterable[Endpoint]) -> None:
        """Where it is bound here does not matter: others see the proxy."""
        if self._task is None:
            self._task = self._scope.spawn("datagrams", self._keep(), contain=self._report)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return (Endpoint("0.0.0.0", 0), Endpoint("::", 0)) if self._task is not None else ()

    @property
    def families(self) -> tuple[int, ...]:
        return (4, 6) if self._task is not None else ()

    @property
    def joined(self) -> bool:
        """There is an association."""
        return self._sock is not None

    @property
    def state(self) -> str:
        """`passed on`, or why datagrams are not, or what is waited for, in plain words."""
        if self.joined:
            return "passed on"
        return self.failure or (
            "the proxy ended the association, and is asked for another" if self._tried.is_set()
            else "the proxy has not yet answered whether it passes on datagrams"
        )

    async def wait(self) -> None:
        """Until there is an association, or the proxy has refused one."""
        await self._tried.wait()

    def attach(self, handler: Handler) -> None:
        self._handlers.append(handler)

    def detach(self, handler: Handler) -> None:
        if handler in self._handlers:
            self._handlers.remove(handler)

    def send(self, remote: Endpoint, data: Data) -> bool:
        """False where the datagram did not leave this machine."""
        if self._sock is None:
            self.lost += 1
            return False
        try:
            self._sock.send(b"".join((socks.wrap(remote), data)))
        except (OSError, Unreachable):
            self.lost += 1
            return False
        self.sent += 1
        return True

    def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        self._drop()

    # -- the association

    async def _keep(self) -> None:
        patience = Patience()
        while True:
            try:
                await self._associate()
                self.failure = "the proxy ended the association for datagrams"
            except NetworkError as error:
                self.failure = error.message
            except OSError as error:
                self.failure = f"the proxy broke the connection: {_reason(error)}"
            finally:
                lasted = self._drop()
            self._tried.set()
            await asyncio.sleep(patience.after(lasted))

    async def _associate(self) -> None:
        """Make an association and stay until it ends, which the end of its stream tells."""
        loop = asyncio.get_running_loop()
        tunnel = self._proxy.address.associate()
        with await self._proxy.converse(tunnel) as control:
            _keep_alive(control)
            self._join(tunnel.bound, control)
            if await loop.sock_recv(control, 1):
                raise ProxyError("the proxy talks where nothing is said")

    def _join(self, relay: Endpoint, control: socket.socket) -> None:
        proxy = str(control.getpeername()[0])
        host = _relay_host(relay.host, proxy)
        own = control.getsockname()[0]
        if (":" in host) != (":" in own):
            raise ProxyError("the proxy's relay has an address of the other IP version")
        if not relay.port:
            raise ProxyError("the proxy's relay has no port")
        self._near = addresses.classify(proxy) is Reach.LOCAL
        sock = datagram_socket(Endpoint(own, 0), _BUFFER, claim=self._proxy.claim)
        try:
            # Connected: the kernel takes nothing from anybody else.
            sock.connect((host, relay.port))
        except OSError as error:
            sock.close()
            raise ProxyError(f"the proxy's relay at {relay} cannot be used: {_reason(error)}") from None
        loop = asyncio.get_running_loop()
        self._sock = sock
        self._since = loop.time()
        self.failure = ""
        self._tried.set()
        loop.add_reader(sock, self._readable, sock)

    def _drop(self) -> float:
        """End the association. Returns how many seconds it was there; 0 for none."""
        sock, self._sock = self._sock, None
        if sock is None:
            return 0.0
        loop = asyncio.get_running_loop()
        loop.remove_reader(sock)
        sock.close()
        return loop.time() - self._since

    def _readable(self, sock: socket.socket) -> None:
        for _ in range(_BATCH):
            try:
                data = sock.recv(limits.DATAGRAM_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue
            found = socks.unwrap(data)
            reach = addresses.classify(found[0].host) if found is not None else Reach.FORBIDDEN
            if found is None or reach is Reach.FORBIDDEN or (reach is Reach.LOCAL and not self._near):
                # Nobody on a machine far away is on this one.
                self.unclaimed += 1
                continue
            remote, at = found
            self.received += 1
            for handler in self._handlers:
                if handler(remote, data[at:]):
                    break
            else:
                self.unclaimed += 1
            if self._sock is not sock:
                return
