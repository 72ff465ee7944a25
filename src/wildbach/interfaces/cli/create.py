"""`wildbach create`: a torrent of a file or a folder."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import get_args

import click

from wildbach.base.errors import UsageError
from wildbach.base.rate import RateMeter
from wildbach.interfaces import maker, scan
from wildbach.interfaces.cli import info, output, running, sources, text, writing
from wildbach.interfaces.cli.board import Board, Row
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.kinds import PIECE_LENGTH, check_tracker
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.maker import Recipe
from wildbach.interfaces.scan import Found
from wildbach.protocol.metainfo import Metainfo
from wildbach.protocol.metainfo.builder import Kind

_SHOWN_NAMES = 5


@click.command("create")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-o", "--output", "target", metavar="FILE",
              help="Where the torrent goes; - is stdout.  [default: NAME.torrent]")
@click.option("--hybrid", "kind", flag_value="hybrid", default="hybrid", help="For old and new clients.  [default]")
@click.option("--v1", "kind", flag_value="v1", help="SHA-1 only, for very old clients.")
@click.option("--v2", "kind", flag_value="v2", help="SHA-256 only, for clients from 2020 on.")
@click.option("--piece-length", type=PIECE_LENGTH, metavar="N", help="A power of two: 256K, 1M, …  [default: by size]")
@click.option("--tracker", "trackers", multiple=True, metavar="URL",
              help="May be repeated: each is a tier; with commas between them they share one.")
@click.option("--web-seed", "web_seeds", multiple=True, metavar="URL",
              help="A web server with the files; may be repeated.")
@click.option("--private", is_flag=True, help="Peers come from the trackers only.")
@click.option("--source", default="", metavar="S", help="A word that makes the info hash another one.")
@click.option("--comment", default="", metavar="C", help="Words that clients show.")
@click.option("--no-date", is_flag=True, help="Leave the creation date out: same files, same bytes.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out files of this name or path; may be repeated.")
@click.option("--force", is_flag=True, help="Replace the torrent file where it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print what `info --json` would.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, only errors.")
def command(
    path: Path, target: str | None, kind: str, piece_length: int | None, trackers: tuple[str, ...],
    web_seeds: tuple[str, ...], private: bool, source: str, comment: str, no_date: bool, exclude: tuple[str, ...],
    force: bool, as_json: bool, quiet: bool,
) -> int:
    """Make a .torrent file of a file or a folder.

    Hybrid by default: peers of v1 and of v2 find it. Files are taken in the order of their names, so the same input
    gives the same torrent.
    """
    recipe = Recipe(
        kind=_kind(kind), piece_length=piece_length or 0, trackers=_tiers(trackers), web_seeds=web_seeds,
        private=private, source=source, comment=comment, date=None if no_date else _now(),
    )
    to_stdout = target == "-"
    place = None if to_stdout else _place(path, target)
    if place is not None:
        writing.require_free(place, force=force)
    found = scan.scan(path, exclude, place)
    for name in found.skipped:
        output.warn(f"left out, neither file nor folder: {text.clean(name)}")

    async def work(stop: Stop) -> Exit:
        torrent = await make(found, recipe, stop, quiet=quiet or as_json or to_stdout)
        if torrent is None:
            return stop.code
        if place is None:
            sys.stdout.buffer.write(torrent.to_bytes())
            sys.stdout.buffer.flush()
            return Exit.OK
        writing.write_durably(place, torrent.to_bytes())
        _report(torrent, place, as_json=as_json, quiet=quiet)
        return Exit.OK

    return running.run(work)


async def make(found: Found, recipe: Recipe, stop: Stop, *, quiet: bool) -> Metainfo | None:
    """Hash the files and put the torrent together; None where somebody stopped it."""
    meter = RateMeter()
    with Board(patient=True, quiet=quiet) as board:

        def progress(at: int, total: int) -> None:
            meter.add(at - meter.total)
            now = time.monotonic()
            rate = meter.rate(now)
            left = (total - at) / rate if rate else None
            board.show([Row(found.name, "hashing", at, total, rate, 0.0, 0, left, at == total, "", local=True)], now)

        return await running.unless_stopped(stop, lambda: maker.make(found, recipe, progress))


def renamed(torrent: Metainfo) -> list[str]:
    """What to do about files that every reader of the torrent will look for under another name, this machine too."""
    words = [
        f"{text.clean(info.original(file))} will be called {text.clean('/'.join(file.path.parts))}"
        for file in torrent.info.files if file.path.changed
    ]
    if not words:
        return []
    shown = words[:_SHOWN_NAMES]
    if len(words) > len(shown):
        shown.append(f"and {len(words) - len(shown)} more")
    return [*shown, "`seed` will not find such files here: rename them and make the torrent again, or --exclude them."]


def _kind(word: str) -> Kind:
    for kind in get_args(Kind):
        if kind == word:
            return kind  # type: ignore[no-any-return]  # get_args does not know that these are the kinds
    raise UsageError(f"{word} is not a kind of torrent")


def _tiers(urls: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    tiers = (tuple(url.strip() for url in word.split(",") if url.strip()) for word in urls)
    for tier in (kept := tuple(tier for tier in tiers if tier)):
        for url in tier:
            check_tracker(url)
    return kept


def _place(path: Path, target: str | None) -> Path:
    name = f"{os.path.basename(os.path.abspath(path))}.torrent"
    if target is None:
        return Path(name)
    place = Path(target)
    return place / name if place.is_dir() else place


def _now() -> int:
    """Now, or the moment that SOURCE_DATE_EPOCH names for builds that must give the same bytes."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    return int(given) if given.isascii() and given.isdigit() else int(time.time())


def _report(torrent: Metainfo, place: Path, *, as_json: bool, quiet: bool) -> None:
    for warning in torrent.warnings:
        output.warn(text.clean(warning))
    for words in renamed(torrent):
        output.advise(words)
    if as_json:
        output.record({**info.describe(torrent), "torrent": str(place)})
    elif not quiet:
        output.line(f"wrote {text.clean(str(place))}")
        if torrent.info.hashes.v1 is not None:
            output.line(f"info hash v1  {torrent.info.hashes.v1.hex()}")
        if torrent.info.hashes.v2 is not None:
            output.line(f"info hash v2  {torrent.info.hashes.v2.hex()}")
        output.line(sources.link_of(torrent).to_uri())
