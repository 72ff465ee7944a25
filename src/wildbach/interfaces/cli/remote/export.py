"""`wildbach export`: the torrent file of a torrent of the daemon."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import naming, output, text, writing
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach

_NAME_BYTES = 200


@click.command("export")
@click.option("-o", "--output", "target", metavar="FILE", help="The file; - for stdout.  [default: NAME.torrent here]")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@naming.for_single
def command(word: str, target: str | None, force: bool, as_json: bool, reach: Reach) -> int:
    """Write the torrent file of a torrent.

    What a magnet link gave has one as soon as its metadata is there.
    """
    return reach.run(lambda api: export(api, word, target, force=force, as_json=as_json))


async def export(api: Api, word: str, target: str | None, *, force: bool, as_json: bool) -> Exit:
    row = await naming.one(api, word)
    data = await api.export(row.key)
    if target == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return Exit.OK
    path = Path(target) if target is not None else Path(file_name(row.name))
    writing.require_free(path, force=force)
    writing.write_durably(path, data)
    if as_json:
        output.record({"key": row.key, "path": str(path.absolute()), "size": len(data)})
    else:
        output.line(text.clean(str(path)))
    return Exit.OK


def file_name(name: str) -> str:
    """NAME.torrent, without what a file name cannot have, or a hidden file has."""
    safe = "".join("_" if char == "/" or not char.isprintable() else char for char in name).lstrip(".") or "torrent"
    return safe.encode()[:_NAME_BYTES].decode("utf-8", "ignore") + ".torrent"
