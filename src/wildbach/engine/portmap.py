"""The ports that our router passes on to us: asked for at the start, renewed, and given back at the end.

All ways of asking look for the router at the same time. The first that understands is asked for the ports, and the
others only where it refuses: two that map the same port would undo each other's work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import NetworkError, RemoteError
from wildbach.base.events import Event
from wildbach.engine import events
from wildbach.net.portmap import Mapped, Mapper
from wildbach.runtime.tasks import Scope

_RENEW_MOST: Final = 900.0
"A router that was restarted has forgotten us; so long it may take until that is mended."
_RENEW_LEAST: Final = 30.0
_RETRY: Final = (60.0, 300.0, 900.0, 1800.0)
"Seconds between tries where nobody lets us in."
_GOODBYE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class MappingView:
    """A port that the router passes on."""

    method: str
    "pcp, natpmp or upnp."
    protocol: str
    internal: int
    external: int
    address: str
    "Where the router says it is; empty where it does not."


@dataclass(frozen=True, slots=True)
class PortMapView:
    """How port mapping goes for one IP version."""

    family: int
    state: str
    "`off`, `searching`, `mapped`, `failed`."
    mappings: tuple[MappingView, ...] = ()
    errors: Mapping[str, str] | None = None
    "Why each way of asking came to nothing, by method."

    @property
    def reason(self) -> str:
        """The errors in one line."""
        return "; ".join(f"{method}: {text}" for method, text in (self.errors or {}).items())

    @property
    def behind_another(self) -> bool:
        """The router's own address is not one of the Internet: another router, or the provider's, stands before it."""
        return any(m.address and classify(m.address) is not Reach.GLOBAL for m in self.mappings)


class PortMapOwner(Protocol):
    """What is told of it."""

    def publish(self, event: Event) -> None: ...

    def mapped(self, family: int, mappings: Sequence[Mapped]) -> None:
        """These ports are mapped from now on; none any more where it is empty."""
        ...


class PortMapping:
    """The ports of one IP version. `ports`: TCP and UDP ports to be called at, 0 for none."""

    def __init__(
        self, owner: PortMapOwner, scope: Scope, family: int, ports: Mapping[str, int], mappers: Mapping[str, Mapper],
        *, lease: int, report: Callable[[Exception], None],
    ) -> None:
        self._owner = owner
        self._scope = scope
        self._family = family
        self._ports = {protocol: port for protocol, port in ports.items() if port}
        self._mappers = dict(mappers)
        self._lease = lease
        self._report = report
        self._active: Mapper | None = None
        self._mapped: tuple[Mapped, ...] = ()
        self._half: tuple[Mapper, list[Mapped]] | None = None
        "What was mapped of a set of ports that is being asked for."
        self._errors: dict[str, str] = {}
        self._failed = False

    def view(self) -> PortMapView:
        state = "mapped" if self._mapped else "failed" if self._failed else "searching"
        return PortMapView(self._family, state if self._mappers else "off", tuple(
            MappingView(m.method, m.protocol, m.internal, m.external, m.address) for m in self._mapped
        ), dict(self._errors))

    async def run(self) -> None:
        """Map, and keep mapped, for ever."""
        failures = 0
        while self._mappers and self._ports:
            if self._active is None or not await self._renew(self._active):
                await self._begin()
            if self._active is None:
                wait = _RETRY[min(failures, len(_RETRY) - 1)]
                failures += 1
            else:
                failures = 0
                wait = self._pause()
            await asyncio.sleep(wait)

    def _pause(self) -> float:
        ends = [m.seconds for m in self._mapped if m.seconds]
        return max(_RENEW_LEAST, min(_RENEW_MOST, min(ends, default=_RENEW_MOST) / 2))

    async def _begin(self) -> None:
        """Look for the router in every way, and map by the first that can."""
        found: asyncio.Queue[tuple[str, str | None]] = asyncio.Queue()
        self._errors = {}
        seekers = [
            self._scope.spawn(f"portmap:{self._family}:{name}", _seek(name, mapper, found), contain=self._report)
            for name, mapper in self._mappers.items()
        ]
        for _ in seekers:
            name, error = await found.get()
            if error is None and self._active is None:
                error = await self._map(self._mappers[name], None)
            if error is not None:
                self._errors[name] = error
            if self._active is not None:
                for seeker in seekers:
                    seeker.cancel()
                return
        first = not self._failed
        self._failed = True
        if first:
            self._owner.publish(events.PortMappingFailed(self.view().reason))

    async def _renew(self, mapper: Mapper) -> bool:
        error = await self._map(mapper, self._mapped)
        if error is None and mapper.lost:
            # It forgot what it was told before this; what was asked first may be gone too.
            error = await self._map(mapper, self._mapped)
        if error is None:
            return True
        self._active, self._mapped = None, ()
        self._owner.mapped(self._family, ())
        return False

    async def _map(self, mapper: Mapper, before: Sequence[Mapped] | None) -> str | None:
        """Map every port; why not, where it cannot be."""
        done: list[Mapped] = []
        self._half = (mapper, done)
        known = {mapped.protocol: mapped for mapped in before or ()}
        for protocol, port in self._ports.items():
            # Peers that know one of the two ports expect the other to be the same.
            wish = done[0].external if done else port
            wanted = known.get(protocol, Mapped("", protocol, port, wish, 0.0))
            try:
                done.append(await mapper.map(wanted, self._lease))
            except (NetworkError, RemoteError) as error:
                await self._undo(mapper, done)
                self._half = None
                return error.message
        self._half = None
        told = [(m.protocol, m.external, m.address) for m in self._mapped]
        self._active, self._failed, self._mapped = mapper, False, tuple(done)
        if told != [(m.protocol, m.external, m.address) for m in done]:
            for m in done:
                self._owner.publish(events.PortMapped(m.method, m.protocol, m.internal, m.external, m.address))
            self._owner.mapped(self._family, done)
        return None

    async def _undo(self, mapper: Mapper, mapped: Sequence[Mapped]) -> None:
        for one in mapped:
            try:
                await mapper.unmap(one)
            except (NetworkError, RemoteError):
                return  # the lease ends by itself

    async def close(self) -> None:
        """Give the ports back, within a moment."""
        given = [(self._active, self._mapped)] if self._active is not None else []
        if self._half is not None and not given:
            given.append((self._half[0], tuple(self._half[1])))
        self._active, self._mapped, self._half = None, (), None
        for mapper, mapped in given:
            try:
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await self._undo(mapper, mapped)
            except TimeoutError:
                return


async def _seek(name: str, mapper: Mapper, found: asyncio.Queue[tuple[str, str | None]]) -> None:
    try:
        await mapper.find()
    except (NetworkError, RemoteError) as error:
        found.put_nowait((name, error.message))
    else:
        found.put_nowait((name, None))
