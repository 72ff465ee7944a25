"""`wildbach import`: the torrents of another client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from wildbach.base.errors import UsageError
from wildbach.base.words import plural
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, said, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote.add import place

_SHOWN: Final = 20


@click.command("import")
@click.argument("path", metavar="[FOLDER]", default="")
@click.option("--map", "pairs", multiple=True, metavar="OLD=NEW",
              help="Folders that begin with OLD there are at NEW here; may be repeated.")
@click.option("--stopped", is_flag=True, help="Add all of them stopped.")
@click.option("--dry-run", is_flag=True, help="Only look, and say what would be done.")
@reach.options
@reach.as_json
def command(
    path: str, pairs: tuple[str, ...], stopped: bool, dry_run: bool, as_json: bool, reach: Reach,
) -> int:
    """Take on the torrents of another client.

    FOLDER is the state folder of qBittorrent, Transmission, Deluge or rTorrent on the daemon's machine; by default
    where such folders usually are. Nothing is downloaded again, and nothing of the other client is changed: end it
    first.
    """
    mapping = {}
    for pair in pairs:
        old, equals, new = pair.partition("=")
        if not (old and equals and new):
            raise UsageError(f"--map {text.clean(pair)}: OLD=NEW is needed, as /data=/srv/torrents")
        mapping[old] = new
    request = m.ImportRequest(place(path, reach) or "", mapping, stopped, dry_run)
    return reach.run(lambda api: take_on(api, request, as_json=as_json))


async def take_on(api: Api, request: m.ImportRequest, *, as_json: bool) -> Exit:
    (job,) = await said.follow(api, [await api.import_client(request)], as_json=as_json)
    if as_json:
        said.record(job)
    else:
        tell(job.result, dry_run=request.dry_run)
    code = said.ended(job)
    return code or (Exit.FAILED if job.result.get("unreadable") else Exit.OK)


def tell(result: Mapping[str, Any], *, dry_run: bool) -> None:
    """What came of it, for a person."""
    for client in result.get("clients", ()):
        words = f"{client['client']} at {client['path']}: {plural(client['torrents'], 'torrent')}"
        output.line(text.clean(words + (" (it is running: end it first)" if client["running"] else "")))
    output.line(f"{'would be added' if dry_run else 'added'}: {plural(result.get('added', 0), 'torrent')}"
                + (f"; {result['there']:,} are there already" if result.get("there") else ""))
    lost = [(name, notes) for name, notes in result.get("lost", {}).items() if notes]
    for name, notes in lost[:_SHOWN]:
        output.line(text.clean(f"not taken over of {name or 'the client'}: {'; '.join(notes)}"))
    _more(len(lost))
    unreadable = result.get("unreadable", ())
    for one in unreadable[:_SHOWN]:
        output.warn(text.clean(f"{one['name']}: {one['reason']}"))
    _more(len(unreadable))


def _more(count: int) -> None:
    if count > _SHOWN:
        output.line(f"… and {count - _SHOWN:,} more; --json has all")
