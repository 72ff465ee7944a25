"""`wildbach get`: download, check, flush, end."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from wildbach.base.errors import UsageError
from wildbach.base.logins import hide_logins
from wildbach.disk.layout import INCOMPLETE_SUFFIX, LAYOUTS
from wildbach.engine.ipfilter import require_readable
from wildbach.engine.options import AddOptions
from wildbach.engine.torrent import Torrent
from wildbach.interfaces.cli import fetching, finding, folders, output, running, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.cli.sessions import open_session
from wildbach.interfaces.cli.state import folder_for
from wildbach.interfaces.cli.wishes import Wishes, common, warn_of_variables
from wildbach.interfaces.cli.work import Work
from wildbach.interfaces.selection import Selection
from wildbach.protocol.metainfo import Metainfo


@dataclass(frozen=True, slots=True)
class Job:
    """One command line of `get`, besides the common flags."""

    sources: tuple[str, ...]
    folder: Path
    selected: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    incomplete_path: Path | None = None
    suffix: str = ""
    layout: str = "original"
    web_seeds: tuple[str, ...] = ()
    sequential: bool = False
    existing: str = "stop"
    seed: bool = False
    ratio: float | None = None
    timeout: float | None = None


@click.command("get")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path, file_okay=False), default=".", metavar="DIR",
              help="The folder for the content.  [default: this one]")
@click.option("--select", "selected", multiple=True, metavar="WHAT",
              help="Only these files: numbers as `info` prints them (0-2,7) or a pattern (*.mkv); may be repeated.")
@click.option("--exclude", multiple=True, metavar="GLOB",
              help="None of the files whose name or path matches (*.nfo); may be repeated.")
@click.option("--incomplete-dir", "incomplete_path", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Keep the files in this folder until they are complete.")
@click.option("--incomplete-suffix", "suffix", is_flag=False, flag_value=INCOMPLETE_SUFFIX, default="",
              metavar="[SUFFIX]", help=f"Append this, or {INCOMPLETE_SUFFIX}, to the names of incomplete files.")
@click.option("--layout", type=click.Choice(LAYOUTS), default="original",
              help="`subfolder` always makes a folder for the content, `none` never does.  [default: as the torrent]")
@click.option("--web-seed", "web_seeds", multiple=True, metavar="URL",
              help="Download from this web server too (BEP 19); may be repeated.")
@click.option("--sequential", is_flag=True, help="From the front to the end.")
@click.option("--overwrite", "existing", flag_value="overwrite", default="stop",
              help="Replace foreign files at the target.")
@click.option("--rename", "existing", flag_value="rename", help="Use another name where foreign files are in the way.")
@click.option("--seed", is_flag=True, help="Go on giving after it is complete, until Ctrl-C.")
@click.option("--seed-ratio", "ratio", type=click.FloatRange(min=0), metavar="N",
              help="Go on until N times the size was given.")
@click.option("--timeout", type=click.FloatRange(min=0.1), metavar="SECONDS",
              help="Give up when nothing arrived for so long.")
@common
def command(wishes: Wishes, **values: object) -> int:
    """Download torrents: files, magnet links, info hashes, URLs or - for stdin.

    Ends with exit code 0 when everything is verified and flushed to the disk. Ctrl-C stops cleanly; the same command
    goes on where it stopped. Two may run at once.
    """
    warn_of_variables()
    job = Job(**values)  # type: ignore[arg-type]  # click has checked the kinds of the values
    if job.sources.count("-") > 1:
        raise UsageError("stdin can be read only once")
    for folder in (job.folder, job.incomplete_path):
        if folder is not None:
            folders.check(folder)
    return running.run(lambda stop: download(job, wishes, stop))


async def download(job: Job, wishes: Wishes, stop: Stop) -> Exit:
    """Get everything the job names."""
    settings = wishes.settings()
    require_readable(settings.filter.sources)
    loaded = await running.unless_stopped(stop, lambda: fetching.load_all(job.sources, settings))
    if loaded is None:
        return stop.code
    selection = Selection(job.selected)
    for one in loaded:
        if isinstance(one, Metainfo):
            # A wrong word is said before anything is created.
            selection.check(one.info)
    peers = await fetching.endpoints(wishes.peers, settings)
    work = Work(
        seed=job.seed or job.ratio is not None, ratio=job.ratio, timeout=job.timeout, as_json=wishes.as_json,
        quiet=wishes.quiet, selection=selection,
    )
    async with open_session(settings, wishes, folder_for(job.folder, wishes.state)) as session:
        options = AddOptions(
            save_path=job.folder,
            peers=peers,
            trackers=wishes.trackers,
            web_seeds=job.web_seeds,
            select=selection.wants if selection else None,
            existing=job.existing,
            exclude=job.exclude,
            incomplete_path=job.incomplete_path,
            suffix=job.suffix,
            layout=job.layout,
            sequential=job.sequential,
        )
        torrents: list[Torrent] = []
        for one in loaded:
            torrent = await finding.add(session, one, options, stop, wishes, job.timeout)
            if torrent is None:
                return stop.code if stop.asked else Exit.NETWORK
            torrents.append(torrent)
        code = await work.follow(stop, session, torrents)
        if stop.asked and wishes.talks:
            running.say_stopping()
    if stop.asked and code == stop.code and wishes.talks:
        output.line(f"Stopped. To go on: {text.clean(shlex.join(['wildbach', *map(hide_logins, sys.argv[1:])]))}")
    return code
