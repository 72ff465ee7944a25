"""`wildbach verify`: content on disk against its hashes, file by file."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from dataclasses import dataclass
from pathlib import Path

import click

from wildbach.base import bitfield
from wildbach.base.errors import UsageError
from wildbach.base.rate import RateMeter
from wildbach.base.words import plural
from wildbach.disk.files import FileStorage
from wildbach.disk.hasher import Expected, Hasher
from wildbach.disk.layout import Layout, look
from wildbach.interfaces.cli import output, reach, running, sources, text
from wildbach.interfaces.cli.board import Board, Row
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote.acts import act
from wildbach.interfaces.cli.running import Stop
from wildbach.protocol.layers import PieceHashes
from wildbach.protocol.metainfo import Info, Metainfo
from wildbach.runtime.workers import Threads


@dataclass(frozen=True, slots=True)
class FileResult:
    """What was found of one file. `good` of `pieces` pieces that hold bytes of it verify."""

    index: int
    path: str
    length: int
    size: int
    "Bytes on disk, -1 where there is no file."
    state: str
    "`good`, `incomplete` (some pieces verify), `wrong` (none does) or `missing`."
    good: int
    pieces: int


@click.command("verify")
@click.argument("torrent")
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: a file each, then the sum.")
@click.option("-q", "--quiet", is_flag=True, help="Only the exit code, and the files that are not good.")
@reach.options
def command(torrent: str, data: Path | None, as_json: bool, quiet: bool, reach: Reach) -> int:
    """Check content on disk against a .torrent file, or a torrent of the daemon.

    DATA is the folder that holds the content (as -o of get), the content's own folder, or the single file; the
    folder you are in by default. Nothing is changed. Exit code 0 means that every file is good.

    Where TORRENT is no torrent file but the beginning of a key or a name, the daemon checks that torrent in the
    background, and fetches again what is wrong. A path, as ./NAME, is always a file.
    """
    if data is None and not sources.is_file(torrent) and reach.runs():
        if os.path.lexists(torrent) and not (as_json or quiet):
            output.line(text.clean(
                f"the daemon's torrent {torrent} is meant, and not what lies here; that would be ./{torrent}"))
        return reach.run(lambda api: act(api, "recheck", (torrent,), False, "being checked", as_json=as_json))
    data = Path(".") if data is None else data
    metainfo = sources.load_torrent(torrent)
    if not data.exists():
        raise UsageError(f"{text.clean(str(data))}: no such file or folder")
    layout = layout_at(metainfo.info, data)

    async def work(stop: Stop) -> Exit:
        good = await check(metainfo, layout, stop, quiet=quiet or as_json)
        if good is None:
            return stop.code
        results = judge(metainfo.info, layout, good)
        return _report(metainfo.info, results, as_json=as_json, quiet=quiet)

    return running.run(work)


def layout_at(info: Info, data: Path) -> Layout:
    """Where the files of `info` lie, whichever of the usual places `data` names."""
    place = os.path.abspath(data)
    if not info.multi_file and os.path.isfile(place):
        return Layout(os.path.dirname(place), renames={0: (os.path.basename(place),)})
    if info.multi_file and not os.path.isdir(os.path.join(place, info.name)):
        inside = Layout(place, "none")
        if look(info, inside).existing:
            return inside
    return Layout(place)


async def check(metainfo: Metainfo, layout: Layout, stop: Stop, *, quiet: bool) -> int | None:
    """The set of good pieces; None where somebody stopped it."""
    info = metainfo.info
    expected = Expected(
        info.pieces, PieceHashes(info.geometry, info.roots, metainfo.piece_layers).get if info.has_v2 else None
    )
    meter = RateMeter()
    with contextlib.ExitStack() as stack:
        threads = Threads(os.cpu_count() or 1)
        stack.callback(threads.close)
        hasher = Hasher(threads)
        stack.callback(hasher.close)
        storage = FileStorage(info, layout)
        stack.callback(storage.close)
        board = stack.enter_context(Board(patient=True, quiet=quiet))

        def progress(at: int, total: int, _good: int) -> None:
            meter.add(at - meter.total)
            now = time.monotonic()
            rate = meter.rate(now)
            left = (total - at) / rate if rate else None
            board.show([Row(info.name, "checking", at, total, rate, 0.0, 0, left, at == total, "", local=True)], now)

        checked = await running.unless_stopped(
            stop, lambda: hasher.check(info.geometry, storage, expected, progress=progress)
        )
    return None if checked is None else checked.good


def judge(info: Info, layout: Layout, good: int) -> list[FileResult]:
    """What the good pieces say of each file."""
    width = bitfield.width_of(info.geometry.piece_count)
    out = []
    for index, file in enumerate(info.files):
        if not file.written:
            continue
        pieces = info.geometry.file_pieces(index)
        held = (good & bitfield.span(pieces.start, pieces.stop, width)).bit_count()
        path = layout.path(info, index)
        try:
            size = os.lstat(path).st_size
        except OSError:
            size = -1
        if size < 0:
            state = "missing"
        elif held == len(pieces) and size == file.length:
            state = "good"
        else:
            state = "incomplete" if held else "wrong"
        out.append(FileResult(index, "/".join(file.path.parts), file.length, size, state, held, len(pieces)))
    return out


_MARKS = {"good": "✓", "incomplete": "~", "wrong": "✗", "missing": "-"}


def _report(info: Info, results: list[FileResult], *, as_json: bool, quiet: bool) -> Exit:
    bad = [result for result in results if result.state != "good"]
    if as_json:
        for result in results:
            output.record({"event": "file", **dataclasses.asdict(result)})
        output.record({
            "event": "verified", "name": info.name, "good": len(results) - len(bad), "files": len(results),
            "complete": not bad,
        })
        return Exit.FAILED if bad else Exit.OK
    for result in bad if quiet else results:
        words = f"{_MARKS[result.state]} {result.state:<10} {text.clean(result.path)}"
        if result.state == "incomplete":
            words += f"  ({result.good} of {plural(result.pieces, 'piece')})"
        if result.size > result.length:
            words += f"  ({text.size(result.size - result.length)} too long)"
        output.line(words)
    if not quiet:
        verdict = "complete and good" if not bad else f"{len(bad)} of {plural(len(results), 'file')} not good"
        output.line(f"{text.clean(info.name)}: {verdict}")
    return Exit.FAILED if bad else Exit.OK
