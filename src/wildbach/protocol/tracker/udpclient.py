"""The client's side of BEP 15 without a socket: connect, announce, scrape, send again, reuse connection ids.

A driver sends what stands in `outgoing`, hands datagrams to `received` and the time to `tick`; both return the
exchanges that are over. One connect serves every request to the same address that waits for it, and the connection
id is used for 60 seconds.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable

from wildbach.base import addresses, limits
from wildbach.base.errors import FormatError, NetworkError, WildbachError
from wildbach.base.ids import Endpoint
from wildbach.protocol.tracker import udp
from wildbach.protocol.tracker.announce import (
    AnnounceReply,
    AnnounceRequest,
    ScrapeReply,
    ScrapeRequest,
    TrackerFailure,
)

CONNECTION_SECONDS = 60.0
"How long a connection id may be used by the one who got it."
FIRST_TIMEOUT = 15.0
_ADDRESSES = 4096


class Exchange:
    """One announce or scrape on its way. `reply` or `error` is set once `done`."""

    __slots__ = (
        "connection", "deadline", "done", "error", "remote", "renewed", "reply", "request", "transaction", "tries",
    )

    def __init__(self, remote: Endpoint, request: AnnounceRequest | ScrapeRequest) -> None:
        self.remote = remote
        self.request = request
        self.transaction = -1
        self.connection = 0
        self.renewed = False
        self.tries = 0
        self.deadline = 0.0
        self.done = False
        self.reply: AnnounceReply | ScrapeReply | None = None
        self.error: WildbachError | None = None


class _Address:
    """What is known of one tracker address: the connection id, or the connect under way and who waits for it."""

    __slots__ = ("connection", "deadline", "expires", "remote", "transaction", "tries", "waiting")

    def __init__(self, remote: Endpoint) -> None:
        self.remote = remote
        self.connection = 0
        self.expires = -1.0
        self.transaction = -1
        self.tries = 0
        self.deadline = 0.0
        self.waiting: deque[Exchange] = deque()


class UdpClient:
    """`transactions` draws random 32-bit numbers that an outsider cannot guess."""

    def __init__(
        self, transactions: Callable[[], int], *, first_timeout: float = FIRST_TIMEOUT,
        tries: int = limits.UDP_TRACKER_TRIES,
    ) -> None:
        self.outgoing: list[tuple[Endpoint, bytes]] = []
        self._draw = transactions
        self._first = first_timeout
        self._tries = tries
        self._addresses: dict[Endpoint, _Address] = {}
        self._sent: dict[int, Exchange | _Address] = {}
        self._timers: list[tuple[float, int, Exchange | _Address]] = []
        self._order = 0
        self.pending = 0

    @property
    def next_tick(self) -> float | None:
        """When `tick` has something to do; None where nothing is under way."""
        return self._timers[0][0] if self._timers else None

    def begin(self, remote: Endpoint, request: AnnounceRequest | ScrapeRequest, now: float) -> Exchange:
        """Start an exchange. Raises NetworkError where UDP_TRACKER_PENDING are under way."""
        if self.pending >= limits.UDP_TRACKER_PENDING:
            raise NetworkError("UDP_TRACKER_PENDING requests are under way")
        exchange = Exchange(remote, request)
        self.pending += 1
        self._send(exchange, now)
        return exchange

    def cancel(self, exchange: Exchange) -> None:
        """Nobody waits for this one any more."""
        if not exchange.done:
            self._finish(exchange)

    def received(self, remote: Endpoint, data: bytes, now: float) -> tuple[bool, list[Exchange]]:
        """Take a datagram. True where it is one of ours; then also the exchanges it ended.

        A reply counts only from the address that was asked and with the number that was drawn for it. Where a name was
        asked, which a proxy looks up, its address is not known here: then the number counts alone.
        """
        head = udp.parse_head(data)
        waiter = self._sent.get(head[1]) if head is not None else None
        if waiter is None or (waiter.remote != remote and addresses.parse(waiter.remote.host) is not None):
            return False, []
        if isinstance(waiter, _Address):
            return True, self._connected(waiter, data, now)
        return True, self._answered(waiter, data, 6 if ":" in remote.host else 4, now)

    def tick(self, now: float) -> list[Exchange]:
        """Send again what got no answer in time; returns the exchanges that are given up."""
        over: list[Exchange] = []
        while self._timers and self._timers[0][0] <= now:
            deadline, _, waiter = heapq.heappop(self._timers)
            if waiter.deadline != deadline or self._sent.get(waiter.transaction) is not waiter:
                continue
            if waiter.tries >= self._tries:
                error = NetworkError("the tracker does not answer", remote=str(waiter.remote))
                over += self._give_up(waiter, error) if isinstance(waiter, _Address) else [self._finish(waiter, error)]
            elif isinstance(waiter, _Address):
                self._connect(waiter, now)
            else:
                self._send(waiter, now)
        return over

    def _send(self, exchange: Exchange, now: float) -> None:
        address = self._addresses.get(exchange.remote)
        if address is None:
            self._make_room(now)
            address = self._addresses[exchange.remote] = _Address(exchange.remote)
        if now >= address.expires:
            self._sent.pop(exchange.transaction, None)
            exchange.transaction = -1
            address.waiting.append(exchange)
            if self._sent.get(address.transaction) is not address:
                address.tries = 0
                self._connect(address, now)
            return
        if exchange.transaction < 0:
            exchange.transaction = self._fresh()
        self._sent[exchange.transaction] = exchange
        exchange.connection = address.connection
        if isinstance(exchange.request, AnnounceRequest):
            data = udp.announce_request(address.connection, exchange.transaction, exchange.request)
        else:
            data = udp.scrape_request(address.connection, exchange.transaction, exchange.request.info_hashes)
        self._launch(exchange, data, now)

    def _connect(self, address: _Address, now: float) -> None:
        if self._sent.get(address.transaction) is not address:
            address.transaction = self._fresh()
            self._sent[address.transaction] = address
        self._launch(address, udp.connect_request(address.transaction), now)

    def _launch(self, waiter: Exchange | _Address, data: bytes, now: float) -> None:
        self.outgoing.append((waiter.remote, data))
        waiter.deadline = now + self._first * 2**waiter.tries
        waiter.tries += 1
        self._order += 1
        heapq.heappush(self._timers, (waiter.deadline, self._order, waiter))

    def _fresh(self) -> int:
        number = self._draw()
        while number in self._sent:
            number = self._draw()
        return number

    def _connected(self, address: _Address, data: bytes, now: float) -> list[Exchange]:
        try:
            connection = udp.parse_connect_reply(data)
        except (FormatError, TrackerFailure) as error:
            return self._give_up(address, error)
        self._sent.pop(address.transaction, None)
        address.connection = connection
        address.expires = now + CONNECTION_SECONDS
        waiting, address.waiting = address.waiting, deque()
        for exchange in waiting:
            if not exchange.done:
                self._send(exchange, now)
        return []

    def _answered(self, exchange: Exchange, data: bytes, family: int, now: float) -> list[Exchange]:
        request = exchange.request
        try:
            if isinstance(request, AnnounceRequest):
                exchange.reply = udp.parse_announce_reply(data, family)
            else:
                exchange.reply = ScrapeReply(udp.parse_scrape_reply(data, request.info_hashes))
        except TrackerFailure as error:
            # A tracker that was restarted no longer knows the id it gave out: that costs one more try, not a failure.
            if "connection" in error.message.lower() and not exchange.renewed:
                exchange.renewed = True
                address = self._addresses.get(exchange.remote)
                if address is not None and address.connection == exchange.connection:
                    address.expires = -1.0
                self._send(exchange, now)
                return []
            return [self._finish(exchange, error)]
        except FormatError as error:
            return [self._finish(exchange, error)]
        return [self._finish(exchange)]

    def _finish(self, exchange: Exchange, error: WildbachError | None = None) -> Exchange:
        if self._sent.get(exchange.transaction) is exchange:
            del self._sent[exchange.transaction]
        exchange.done = True
        exchange.error = error
        self.pending -= 1
        return exchange

    def _give_up(self, address: _Address, error: WildbachError) -> list[Exchange]:
        self._sent.pop(address.transaction, None)
        waiting, address.waiting = address.waiting, deque()
        self._addresses.pop(address.remote, None)
        return [self._finish(exchange, error) for exchange in waiting if not exchange.done]

    def _make_room(self, now: float) -> None:
        """Forget addresses whose connection id is of no use any more, and bound their number."""
        if len(self._addresses) < _ADDRESSES:
            return
        for remote, address in list(self._addresses.items()):
            if now >= address.expires and not address.waiting:
                del self._addresses[remote]
