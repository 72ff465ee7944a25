"""`wildbach rename`: other paths for files and folders of a torrent."""

from __future__ import annotations

import click

from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import naming, output, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach


@click.command("rename")
@naming.for_single
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
def command(word: str, old: str, new: str, as_json: bool, reach: Reach) -> int:
    """Give a file or folder of a torrent another path.

    OLD is a path as `wildbach files` shows it, NEW a path in the torrent too. Another name in the list:
    `wildbach edit --name`.
    """
    return reach.run(lambda api: rename(api, word, old, new, as_json=as_json))


async def rename(api: Api, word: str, old: str, new: str, *, as_json: bool) -> Exit:
    row = await naming.one(api, word)
    await api.rename(row.key, m.Rename(old, new))
    if as_json:
        output.record({"key": row.key, "path": old, "to": new})
    else:
        output.line(text.clean(f"renamed: {old} to {new}"))
    return Exit.OK
