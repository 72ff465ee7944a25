"""`wildbach jobs`: what takes a while."""

from __future__ import annotations

from typing import Final

import click

from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, said, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.table import Column, Row

COLUMNS: Final = (
    Column("ID", style="dim"), Column("KIND"), Column("WHAT", flexible=True), Column("STATE"),
    Column("DONE", right=True), Column("SINCE", rank=2), Column("NOW", rank=1),
)
_AT_IT: Final = 30


@click.group("jobs", cls=ListGroup)
def command() -> None:
    """Show what takes a while: moves, imports, torrents being made."""


@command.command("list")
@reach.options
@reach.as_json
def list_command(as_json: bool, reach: Reach) -> int:
    """Show all jobs of this run of the daemon."""
    return reach.run(lambda api: show(api, as_json=as_json))


async def show(api: Api, *, as_json: bool) -> Exit:
    found = (await api.jobs()).jobs
    code = said.listed(found, COLUMNS, line_of, "There are no jobs.", as_json=as_json)
    if not as_json:
        for job in found:
            # As long as it takes, where a column of the table would cut it.
            if job.message and job.state != "running":
                output.line(text.clean(f"{job.id}: {job.message}"))
    return code


def line_of(job: m.Job) -> Row:
    at_it = job.message if job.state == "running" else ""
    return (job.id, job.kind, text.clean(job.title), job.state, said.share(job), text.moment(job.started_at),
            text.clean(at_it)[:_AT_IT])


@command.command("wait")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@reach.options
@reach.as_json
def wait_command(ids: tuple[str, ...], as_json: bool, reach: Reach) -> int:
    """Wait until jobs have ended: those, or all that run.

    Exit code 0 means that all are done.
    """
    return reach.run(lambda api: wait(api, ids, as_json=as_json))


async def wait(api: Api, ids: tuple[str, ...], *, as_json: bool) -> Exit:
    there = {job.id: job for job in (await api.jobs()).jobs}
    for one in ids:
        _known(one, there)
    meant = [there[one] for one in ids] if ids else [job for job in there.values() if job.state == "running"]
    worst = Exit.OK
    for job in await said.follow(api, meant, as_json=as_json):
        if as_json:
            said.record(job)
        worst = said.ended(job) or worst
    return worst


@command.command("cancel")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@reach.options
def cancel_command(ids: tuple[str, ...], reach: Reach) -> int:
    """End jobs, or forget those that have ended."""
    return reach.run(lambda api: cancel(api, ids))


async def cancel(api: Api, ids: tuple[str, ...]) -> Exit:
    for one in ids:
        job = await api.cancel_job(one)
        output.line(text.clean(f"{job.state}: {job.title}"))
    return Exit.OK


def _known(one: str, there: dict[str, m.Job]) -> None:
    if one not in there:
        raise UsageError(f"there is no job {text.clean(one)!r}; `wildbach jobs` lists them", code="not_found")
