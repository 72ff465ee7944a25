"""A look at what could be wrong with a client that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from wildbach.base.errors import StorageError
from wildbach.base.logins import hide_logins
from wildbach.disk.probe import probe
from wildbach.interfaces import checkup
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import places
from wildbach.interfaces.api.core import Core
from wildbach.interfaces.checkup import Finding, Level
from wildbach.net.machine import examine

_NAMES_SECONDS: Final = 3.0
_MARKS: Final[dict[Level, Literal["good", "warning", "bad", "note"]]] = {
    Level.GOOD: "good", Level.NOTE: "note", Level.WARNING: "warning", Level.FAULT: "bad",
}


class Doctoring:
    """A part of the Api."""

    core: Core

    async def doctor(self) -> m.Checkup:
        session, threads, settings = self.core.session, self.core.threads, self.core.settings
        found = checkup.of_machine(await threads.run(examine))
        folders = [(places.home(settings.downloads.folder), "downloads")]
        if session.data_dir is not None:
            folders.append((session.data_dir, "state"))
        for place, what in folders:
            found += await self._disk(place, what)
        ways = await session.examine_network(_NAMES_SECONDS)
        found += checkup.of_network(ways)
        found += checkup.of_filter(session.ip_filter)
        found += checkup.of_ports(session.settings.connections.listen, session.listening, ways)
        found += checkup.of_mapping(session.discovery.ports, bound=bool(ways.interface))
        found += checkup.of_flows(session.flows)
        return m.Checkup(tuple(
            m.Finding(one.area, _MARKS[one.level], hide_logins(one.text), hide_logins(one.advice)) for one in found))

    async def _disk(self, place: Path, what: str) -> list[Finding]:
        try:
            return checkup.of_disk(await self.core.threads.run(probe, place), what)
        except StorageError as error:
            return [Finding("disk", Level.FAULT, f"{what}: {error.message}", "choose another folder, or mend it")]
