"""Events from those who make them to those who want to know. One loop, no threads, no waiting on a slow reader."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar

from wildbach.base.events import Event

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Lagged(Event):
    """`count` events were dropped for a subscriber that read too slowly: it should read a fresh snapshot."""

    count: int


class Subscription(Generic[E]):
    """An async iterator over events of some types; ends when it or the bus is closed.

    Holds at most `size` events. One more, and all it holds are dropped and counted: the next thing read is one
    `Lagged`, then come the events published since.
    """

    def __init__(self, bus: Bus, types: tuple[type[Event], ...], size: int) -> None:
        self.types = types
        self._bus = bus
        self._size = size
        self._events: deque[E] = deque()
        self._lost = 0
        self._closed = False
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> Subscription[E]:
        return self

    async def __anext__(self) -> E | Lagged:
        while True:
            if self._lost:
                count, self._lost = self._lost, 0
                return Lagged(count)
            if self._events:
                return self._events.popleft()
            if self._closed:
                raise StopAsyncIteration
            if self._waiter is not None:
                raise RuntimeError("a subscription has one reader")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def __enter__(self) -> Subscription[E]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take no more events. Those already here can still be read."""
        self._closed = True
        self._bus._drop(self)
        self._wake()

    def _put(self, event: E) -> None:
        if len(self._events) >= self._size:
            self._lost += len(self._events) + 1
            self._events.clear()
        else:
            self._events.append(event)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Bus:
    """Publishes to every subscription that asked for the event's type or for a base of it."""

    def __init__(self) -> None:
        self._subscriptions: dict[Subscription[Any], None] = {}
        self._closed = False

    def publish(self, event: Event) -> None:
        """Never blocks and never raises; costs next to nothing where nobody listens."""
        for subscription in self._subscriptions:
            if isinstance(event, subscription.types):
                subscription._put(event)

    def subscribe(self, *types: type[E], size: int = 1000) -> Subscription[E]:
        """Events of these types from now on; without types, all. Close it, or use it in a `with`."""
        subscription: Subscription[E] = Subscription(self, types or (Event,), size)
        if self._closed:
            subscription.close()
        else:
            self._subscriptions[subscription] = None
        return subscription

    def close(self) -> None:
        """End every subscription, now and later."""
        self._closed = True
        for subscription in tuple(self._subscriptions):
            subscription.close()

    def _drop(self, subscription: Subscription[E]) -> None:
        self._subscriptions.pop(subscription, None)
