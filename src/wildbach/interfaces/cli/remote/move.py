"""`wildbach move`: files of torrents to another folder."""

from __future__ import annotations

import click

from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import naming, output, said, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote.add import place


@click.command("move")
@click.option("--no-wait", "detach", is_flag=True, help="Do not wait until it is done.")
@click.option("--look", is_flag=True, help="The files are there already: move nothing, and check them.")
@naming.for_several
def command(
    words: tuple[str, ...], everything: bool, detach: bool, look: bool, as_json: bool, reach: Reach,
) -> int:
    """Move the files of torrents to another folder.

    The last word is the folder, of the daemon's machine: `wildbach move TORRENT... DIR`. They are seeded and downloaded
    on meanwhile. Ctrl-C ends the waiting, not the moving, which also survives a crash.
    """
    if not words:
        raise UsageError("where to? wildbach move TORRENT... DIR")
    target = place(words[-1], reach) or words[-1]
    return reach.run(lambda api: move(api, words[:-1], everything, target, detach=detach, look=look, as_json=as_json))


async def move(
    api: Api, words: tuple[str, ...], everything: bool, target: str, *, detach: bool, as_json: bool,
    look: bool = False,
) -> Exit:
    chosen = await naming.chosen(api, words, everything)
    jobs = (await api.move_torrents(m.Move(target, chosen.keys, chosen.everything, look=look))).jobs
    if detach:
        ended = list(jobs)
    else:
        ended = await said.follow(api, jobs, as_json=as_json)
    worst = Exit.OK
    for job in ended:
        if as_json:
            said.record(job)
        if job.state == "running" and not as_json:
            output.line(text.clean(f"moving: {job.title}"))
        elif job.state == "done" and not as_json:
            output.line(text.clean(job.title if look else f"moved: {job.title}"))
        elif job.state not in ("running", "done"):
            worst = said.ended(job) or worst
    return worst
