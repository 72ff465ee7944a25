"""`wildbach media`: where players fetch, and whether other machines may."""

from __future__ import annotations

import click
import msgspec

from wildbach.interfaces.api import playmodels as pm
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import links, naming, output, reach, said, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach


@click.command("media")
@click.argument("torrent", required=False, metavar="[TORRENT]")
@click.option("--lan/--no-lan", "lan", default=None,
              help="Let televisions, phones and others in the networks of this machine play what they have a link to.")
@click.option("--renew", is_flag=True, help="Make the links to TORRENT worthless, and others in their place.")
@links.qr_option
@reach.options
@reach.as_json
def command(torrent: str | None, lan: bool | None, renew: bool, qr: bool | None, as_json: bool, reach: Reach) -> int:
    """Show where players fetch, or let other machines in.

    With a TORRENT of the daemon it prints the link to its playlist, for a television or a phone where --lan is on. The
    link opens nothing but the files of this torrent.
    """
    if renew and torrent is None:
        raise click.UsageError("--renew needs a TORRENT")

    async def work(api: Api) -> Exit:
        if lan is not None:
            await api.change_media(pm.MediaPatch(lan=lan))
        if torrent is None:
            _show(await api.media(), as_json=as_json)
            return Exit.OK
        key = (await naming.one(api, torrent)).key
        found = await (api.renew_media_token(key) if renew else api.playables(key))
        if as_json:
            said.record(found)
            return Exit.OK
        for words in links.lines(found.media.near, found.media.away, found.playlist.removeprefix("/"), qr=qr):
            output.line(words)
        return Exit.OK

    return reach.run(work)


def _show(media: pm.Media, *, as_json: bool) -> None:
    if as_json:
        output.record(msgspec.to_builtins(media))
        return
    output.line(f"players of this machine   {media.near or '-'}")
    output.line(f"browsers of this machine  {media.browser or '-'}")
    output.line(f"other machines            {media.away or ('-' if media.lan else 'not let in (--lan lets them in)')}")
    if media.problem:
        output.warn(text.clean(media.problem))
