"""A torrent to look at: the swarm of a demonstration, on this machine, for as long as it takes."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import Final

from wildbach.base.errors import UsageError
from wildbach.base.words import plural
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.acting import Acting
from wildbach.interfaces.api.adding import Adding
from wildbach.interfaces.api.jobs import Progress
from wildbach.interfaces.demoswarm import Plan, swarm

KIND: Final = "demo"
_LOOK_SECONDS: Final = 0.5
_STAY_SECONDS: Final = 60.0
"How long the seeds stay when the download is complete, for who wants to look at peers."
_PATIENCE_SECONDS: Final = 300.0
"How long they stay when nothing moves, as with a torrent that was stopped."


class Demonstrating(Adding, Acting):
    """A part of the Api."""

    async def start_demo(self) -> m.Job:
        if any(job.kind == KIND and job.state == "running" for job in self.core.jobs.views()):
            raise UsageError("a demonstration runs already", code="busy")
        network = self.core.settings.network
        if network.interface or network.proxy:
            raise UsageError(
                "the demonstration runs on this machine itself, where network.interface and network.proxy do not lead",
                code="not_ready")
        return self.core.jobs.start(KIND, "a demonstration", self._demonstrate)

    async def _demonstrate(self, progress: Progress) -> None:
        # Another one each time: what was downloaded before would else be there already.
        plan = Plan(f"wildbach demo {secrets.token_hex(3)}")
        progress.message = "making up files"
        async with swarm(plan) as torrent:
            (added,) = (await self.add_torrents(m.AddRequest(files=(torrent.to_bytes(),), stopped=False))).added
            if added.error:
                raise UsageError(added.error, code=added.code)
            progress.result["key"] = added.key
            try:
                await self._watch(added.key, plan, progress)
            finally:
                # Somebody else may listen at that port later.
                with contextlib.suppress(UsageError):
                    await self.change_trackers(added.key, m.TrackerChange(tiers=()))
        if progress.share == 1.0:
            progress.message = "complete; its seeds are gone, the torrent stays in the list"

    async def _watch(self, key: str, plan: Plan, progress: Progress) -> None:
        """Until it has been complete for a while, is gone, or does not move."""
        clock = asyncio.get_running_loop().time
        since, share = clock(), -1.0
        while True:
            entry = self.core.library.entries.get(key)
            torrent = self.core.session.torrent(key)
            if torrent is None or entry is None or entry.trashed:
                progress.message = "the torrent was removed"
                return
            row = self.core.catalog.fresh(key)
            if row.progress != share:
                since, share = clock(), row.progress
            progress.share = row.progress
            if row.complete:
                progress.message = f"complete; the seeds stay for {_STAY_SECONDS:.0f} seconds more"
            elif row.state == "downloading":
                progress.message = f"{plural(plan.seeds, 'seed')} on this machine send it"
            else:
                progress.message = f"its state: {row.state}"
            if clock() - since > (_STAY_SECONDS if row.complete else _PATIENCE_SECONDS):
                if not row.complete:
                    progress.message = "nothing moved for a while, so its seeds are gone"
                return
            await asyncio.sleep(_LOOK_SECONDS)
