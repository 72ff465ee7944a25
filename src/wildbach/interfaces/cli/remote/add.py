"""`wildbach add`: torrents for the daemon."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from wildbach.base.errors import UsageError, WildbachError
from wildbach.disk.layout import LAYOUTS
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, said, sources, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.kinds import COUNT_LIMIT, SECONDS_LIMIT, SIZE, check_tracker
from wildbach.interfaces.cli.naming import SHORT
from wildbach.interfaces.cli.reach import Reach

_BATCH_BYTES: Final = 16 << 20
_BATCH: Final = 500
"Torrents of one request."
_TOLD: Final = {"restored": "had back from the trash, with its folder, category and tags of then"}


@dataclass(frozen=True, slots=True)
class _Source:
    """What is added, and what it is called when something is said of it."""

    name: str
    url: str = ""
    data: bytes = b""


@click.command("add")
@click.argument("names", nargs=-1, required=True, metavar="SOURCE...")
@click.option("-o", "--save-path", metavar="DIR", default="",
              help="The folder for the content.  [default: the category's, or downloads.folder]")
@click.option("--incomplete-dir", "incomplete_path", metavar="DIR",
              help="Keep the files in this folder until they are complete; '' for none.")
@click.option("--category", default="", metavar="NAME", help="A category; it is made where it is new.")
@click.option("--tag", "tags", multiple=True, metavar="NAME", help="A tag; may be repeated.")
@click.option("--stopped/--start", "stopped", default=None, help="Whether to begin.  [default: downloads.start]")
@click.option("--force", "forced", is_flag=True, help="Start whatever the queue says.")
@click.option("--top", is_flag=True, help="At the top of the queue.")
@click.option("--select", "wanted", multiple=True, metavar="WHAT",
              help="Only these files: numbers as `info` prints them (0-2,7) or a pattern (*.mkv); may be repeated.")
@click.option("--exclude", multiple=True, metavar="GLOB",
              help="None of the files whose name or path matches (*.nfo); may be repeated.")
@click.option("--name", default="", metavar="NAME", help="Another name in the list.")
@click.option("--layout", type=click.Choice(LAYOUTS), default=None,
              help="`subfolder` always makes a folder for the content, `none` never does.")
@click.option("--sequential", is_flag=True, help="From the front to the end.")
@click.option("--ends-first", is_flag=True, help="The first and the last piece of each file come first.")
@click.option("--skip-check", is_flag=True,
              help="Take the data as complete and good; each piece is checked before it is first sent.")
@click.option("--super-seed", is_flag=True, help="Give each piece once, for a first seed.")
@click.option("--metadata-only", is_flag=True, help="Stop once the files are known.")
@click.option("--limit-down", "down_limit", type=SIZE, default=0, metavar="RATE", help="Bytes a second: 500K, 2M.")
@click.option("--limit-up", "up_limit", type=SIZE, default=0, metavar="RATE", help="Bytes a second: 500K, 2M.")
@click.option("--ratio", "ratio_limit", type=COUNT_LIMIT, default=-2.0, metavar="N",
              help="Give N times the size, then stop; `none`: for ever.  [default: as the settings say]")
@click.option("--seed-time", "seeding_limit", type=SECONDS_LIMIT, default=-2, metavar="TIME",
              help="Seed so long, then stop: 90m, 12h, 7d; `none`: for ever.")
@click.option("--idle-time", "idle_limit", type=SECONDS_LIMIT, default=-2, metavar="TIME",
              help="Stop after so long without anybody to give to.")
@click.option("--tracker", "trackers", multiple=True, metavar="URL", help="One more tracker; may be repeated.")
@click.option("--web-seed", "web_seeds", multiple=True, metavar="URL", help="One more web server; may be repeated.")
@click.option("--peer", "peers", multiple=True, metavar="ADDRESS:PORT", help="Connect to this peer; may be repeated.")
@click.option("--overwrite", "existing", flag_value="overwrite", default="stop",
              help="Replace foreign files at the target.")
@click.option("--rename", "existing", flag_value="rename", help="Use another name where foreign files are in the way.")
@reach.options
@reach.as_json
def command(names: tuple[str, ...], as_json: bool, reach: Reach, **values: Any) -> int:
    """Add torrents: files, magnet links, info hashes, URLs or - for stdin.

    When it ends they are in the list of the daemon, and stay there. A folder is one of the daemon's machine. Exit code
    0 means that all were added, or were there already.
    """
    if names.count("-") > 1:
        raise UsageError("stdin can be read only once")
    for url in values["trackers"]:
        check_tracker(url)
    for name in ("save_path", "incomplete_path"):
        values[name] = place(values[name], reach)
    wishes = m.AddRequest(**values)
    found, code = _read(names)

    async def work(api: Api) -> Exit:
        done = await add(api, found, wishes, as_json=as_json)
        return code or done

    return reach.run(work) if found else code


def place(path: str | None, reach: Reach) -> str | None:
    """A folder as the daemon understands it: one of this machine is taken from here."""
    return os.path.abspath(os.path.expanduser(path)) if path and reach.near else path


def _read(names: Sequence[str]) -> tuple[list[_Source], Exit]:
    """What can be read of them; the exit code of the first that cannot."""
    found: list[_Source] = []
    worst = Exit.OK
    for name in names:
        try:
            found.append(_source(name))
        except WildbachError as error:
            worst = worst or output.explain(error)
    return found, worst


def _source(name: str) -> _Source:
    is_link = sources.is_url(name) or name.lower().startswith("magnet:")
    if is_link or (sources.is_hash(name) and not Path(name).exists()):
        return _Source(name, url=name)
    data = sources.read(name)
    if data[:7].lower() == b"magnet:":
        return _Source(name, url=data.decode("utf-8", "replace").strip())
    return _Source("stdin" if name == "-" else name, data=data)


def _batches(found: Sequence[_Source]) -> Iterator[list[_Source]]:
    batch: list[_Source] = []
    size = 0
    for one in found:
        if batch and (size + len(one.data) > _BATCH_BYTES or len(batch) >= _BATCH):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += len(one.data)
    yield batch


async def add(api: Api, found: Sequence[_Source], wishes: m.AddRequest, *, as_json: bool) -> Exit:
    worst = Exit.OK
    for batch in _batches(found):
        files = [one for one in batch if one.data]
        links = [one for one in batch if one.url]
        result = await api.add_torrents(msgspec.structs.replace(
            wishes, files=tuple(one.data for one in files), urls=tuple(one.url for one in links)))
        for source, added in zip((*files, *links), result.added, strict=True):
            worst = _tell(msgspec.structs.replace(added, source=source.name), as_json=as_json) or worst
    return worst


def _tell(added: m.Added, *, as_json: bool) -> Exit:
    if as_json:
        said.record(added)
    if not added.key:
        output.fail(text.clean(f"{added.source[:200]}: {added.error}"))
        return said.exit_of(added.code)
    if not as_json:
        words = "is there already" if added.duplicate else _TOLD.get(added.code, "added")
        output.line(f"{words}: {text.clean(added.name)} ({added.key[:SHORT]})")
    return Exit.OK
