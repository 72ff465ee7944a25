"""What takes a while: it goes on without whoever asked for it, says how far it is, and can be ended."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from wildbach.base.errors import UsageError, WildbachError
from wildbach.interfaces.api.models import Job
from wildbach.runtime.tasks import Scope

_KEPT: Final = 200
"Jobs that ended and are still shown."


class Progress:
    """What a job says of itself while it runs."""

    def __init__(self) -> None:
        self.share: float | None = None
        self.message = ""
        self.result: dict[str, Any] = {}


Work = Callable[[Progress], Awaitable[None]]


class _Running:
    def __init__(self, id: str, kind: str, title: str) -> None:
        self.id, self.kind, self.title = id, kind, title
        self.started_at = int(time.time())
        self.state: str = "running"
        self.progress = Progress()
        self.task: asyncio.Task[None] | None = None
        self.ended = asyncio.Event()

    def view(self) -> Job:
        return Job(
            self.id, self.kind, self.title, self.state,  # type: ignore[arg-type]  # one of the four words
            self.progress.share, self.progress.message, self.started_at, dict(self.progress.result),
        )


class JobList:
    """The jobs of this run, oldest first."""

    def __init__(self, scope: Scope, report: Callable[[Exception], None]) -> None:
        self._scope = scope
        self._report = report
        self._jobs: dict[str, _Running] = {}

    def start(self, kind: str, title: str, work: Work) -> Job:
        job = _Running(secrets.token_hex(8), kind, title)
        self._jobs[job.id] = job
        job.task = self._scope.spawn(f"job:{kind}", self._run(job, work), contain=self._report)
        ended = [other for other in self._jobs.values() if other.state != "running"]
        for other in ended[: max(0, len(ended) - _KEPT)]:
            del self._jobs[other.id]
        return job.view()

    async def _run(self, job: _Running, work: Work) -> None:
        try:
            await work(job.progress)
        except WildbachError as error:
            job.state, job.progress.message = "failed", error.message
        except asyncio.CancelledError:
            job.state = "cancelled"
            raise
        else:
            job.state, job.progress.share = "done", 1.0
        finally:
            if job.state == "running":
                job.state, job.progress.message = "failed", "internal error; see the log"
            job.ended.set()

    def views(self) -> tuple[Job, ...]:
        return tuple(job.view() for job in self._jobs.values())

    def view(self, id: str) -> Job:
        return self._get(id).view()

    async def cancel(self, id: str) -> Job:
        """End it; one that has ended is forgotten."""
        job = self._get(id)
        if job.state != "running":
            del self._jobs[id]
        elif job.task is not None:
            job.task.cancel()
            await job.ended.wait()
        return job.view()

    async def wait(self, id: str) -> Job:
        """Returns when it has ended."""
        job = self._get(id)
        await job.ended.wait()
        return job.view()

    def _get(self, id: str) -> _Running:
        job = self._jobs.get(id)
        if job is None:
            raise UsageError(f"there is no job {id}", code="not_found")
        return job
