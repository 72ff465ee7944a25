"""torrentcreator/…: torrents made of what is on the daemon's machine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.qbittorrent.call import (
    Answer,
    Call,
    Refusal,
    bad,
    conflict,
    data,
    not_found,
    text,
    within,
)
from wildbach.interfaces.doors.qbittorrent.endpoints import endpoint
from wildbach.net.httpd import Response

_STATES: Final = {"running": "Running", "done": "Finished", "failed": "Failed", "cancelled": "Failed"}
_KIND: Final = "create"


@endpoint("torrentcreator/addTask", "Makes a torrent of a file or folder.", change=True)
async def add_task(call: Call) -> Answer:
    [path] = call.required("sourcePath")
    if not path.startswith("/"):
        raise bad("sourcePath must be an absolute path")
    kind: Any = {"v1": "v1", "v2": "v2", "hybrid": "hybrid"}.get(call.text("format").strip().lower(), "hybrid")
    tiers: list[list[str]] = [[]]
    for part in call.text("trackers").split("|"):
        if url := part.strip():
            tiers[-1].append(url)
        elif tiers[-1]:
            tiers.append([])
    job = await call.api.create_torrent(m.CreateRequest(
        path, kind, within(call.number("pieceSize", 0), 0, 1 << 30), bool(call.flag("private")),
        tuple(tuple(tier) for tier in tiers if tier), tuple(call.listed("urlSeeds", "|")),
        call.text("comment"), call.text("source"), save_to=call.text("torrentFilePath"),
        seed=bool(call.flag("startSeeding", True)),
    ))
    return data({"taskID": job.id})


async def _tasks(call: Call) -> dict[str, m.Job]:
    return {job.id: job for job in (await call.api.jobs()).jobs if job.kind.startswith(_KIND)}


async def _task(call: Call) -> m.Job:
    [number] = call.required("taskID")
    job = (await _tasks(call)).get(number)
    if job is None:
        raise not_found()
    return job


@endpoint("torrentcreator/status", "All tasks, or the one of `taskID`.")
async def status(call: Call) -> Answer:
    jobs = [await _task(call)] if call.text("taskID") else list((await _tasks(call)).values())
    return data([_shown(job) for job in jobs])


def _shown(job: m.Job) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "taskID": job.id,
        "sourcePath": str(job.result.get("path", job.title)),
        "private": bool(job.result.get("private", False)),
        "timeAdded": datetime.fromtimestamp(job.started_at, UTC).strftime("%a %b %d %H:%M:%S %Y"),
        "status": _STATES[job.state],
    }
    if job.state == "running":
        shown["progress"] = int(100 * (job.progress or 0))
    elif job.state != "done":
        shown["errorMessage"] = job.message
    return shown


@endpoint("torrentcreator/torrentFile", "The torrent file that a task made.")
async def torrent_file(call: Call) -> Answer:
    job = await _task(call)
    if job.state == "running":
        raise conflict("Torrent creation is still unfinished.")
    if job.state != "done":
        raise conflict("Torrent creation failed.")
    return Response(await call.api.created_file(job.id), content_type="application/x-bittorrent", headers={
        "Content-Disposition": f'attachment; filename="{job.id}.torrent"',
    })


@endpoint("torrentcreator/deleteTask", "Ends a task, or forgets one that has ended.", change=True)
async def delete_task(call: Call) -> Answer:
    job = await _task(call)
    ended = await call.api.cancel_job(job.id)
    if ended.state == "running":
        raise Refusal(409, "Torrent creation is still unfinished.")
    return text()
