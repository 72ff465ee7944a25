"""`wildbach site`: sites that are opened, and those that are published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
from msgspec import UNSET

from wildbach.base.words import plural
from wildbach.base.words import size as long_size
from wildbach.interfaces.api import sitemodels as sm
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import links, output, reach, said, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.kinds import SIZE, TrxType
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote.add import place
from wildbach.interfaces.cli.remote.wallet import ask_and_send
from wildbach.interfaces.cli.remote.walletparts import passphrase_file
from wildbach.interfaces.cli.table import Cell, Column, Row

SITES: Final = (
    Column("NAME", flexible=True), Column("VERSION", right=True), Column("HEARD", right=True, rank=1),
    Column("SIZE", right=True, rank=2), Column("SEEDS", right=True, rank=3), Column("KEY", rank=4),
    Column("PROBLEM", rank=5),
)
VERSIONS: Final = (
    Column("NUMBER", right=True), Column("SEEN", rank=1), Column("SIZE", right=True), Column("FILES", right=True,
        rank=2),
    Column("HERE", right=True), Column("HASH", rank=3), Column("", flexible=True),
)
_SHOWN: Final = 20


@click.group("site", cls=ListGroup)
def command() -> None:
    """Open sites that have no server, and publish your own.

    A site is what one key publishes. Who reads it gives it to others. SITE is its name or the beginning of its key.
    """


@command.command("list")
@reach.options
@reach.as_json
def list_command(as_json: bool, reach: Reach) -> int:
    """Show the sites that were opened here or are published from here."""
    return reach.run(lambda api: listed(api, as_json=as_json))


async def listed(api: Api, *, as_json: bool) -> Exit:
    return said.listed((await api.sites()).sites, SITES, line_of, "No site was opened.", as_json=as_json)


def line_of(site: sm.Site) -> Row:
    number = str(site.shown) if site.shown >= 0 else ""
    if site.updating:
        number += f" ({text.percent(site.progress)} of {site.seq})"
    return (
        text.clean(site.name) or site.key[:12], number, text.moment(site.heard_at) if site.heard_at else "never",
        text.short(site.size), str(site.seeds), site.key, Cell(text.clean(site.reason), "red"))


@command.command("open")
@click.argument("address")
@click.option("--name", default="", metavar="TEXT", help="What you call it.")
@click.option("--most", type=SIZE, default=0, metavar="SIZE",
              help="Fetch it also where it is that large.  [default: as sites.most_size says]")
@click.option("--no-browser", is_flag=True, help="Print its URL, and open no browser.")
@reach.options
@reach.as_json
def open_command(address: str, name: str, most: int, no_browser: bool, as_json: bool, reach: Reach) -> int:
    """Open a site: it is fetched, and given to others from then on.

    ADDRESS is a key (52 letters, or 64 hex digits), btpk://KEY/path, bittorrent://HEX/path, magnet:?xs=urn:btpk:HEX, or
    what a browser shows.
    """
    opening = sm.SiteOpening(address, name, most)
    return reach.run(lambda api: opened(api, opening, browse=not no_browser and not as_json, as_json=as_json))


async def opened(api: Api, opening: sm.SiteOpening, *, browse: bool, as_json: bool) -> Exit:
    site = await api.open_site(opening)
    if as_json:
        said.record(site)
        return Exit.OK
    if not site.url:
        output.warn("sites cannot be shown: the port of media.listen is not open")
        return Exit.FAILED
    output.line(site.url)
    if browse:
        links.browse(site.url)
    return Exit.OK


@command.command("publish")
@click.argument("folder", metavar="DIR")
@click.option("--key", "secret", default="default", show_default=True, metavar="NAME",
              help="The secret key to publish under; made when it is first used.")
@click.option("--name", default="", metavar="TEXT", help="What the site is called.  [default: like the key]")
@click.option("--web-seed", "web_seeds", multiple=True, metavar="URL",
              help="A web server that has the same folder at this URL; may be repeated.")
@click.option("--hidden", is_flag=True, help="Hidden files too. Without it only .well-known is taken.")
@click.option("--adopt", is_flag=True,
              help="Publish also where the newest version was not published from here: by another machine with this "
                   "key.")
@click.option("--payout", default="", metavar="ADDRESS",
              help="Where tips go: an address of TRON, which is written into DIR/.well-known/wildbach.json.  "
                   "[default: what that says]")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@reach.options_but_key
@reach.as_json
def publish_command(
    folder: str, secret: str, name: str, web_seeds: tuple[str, ...], hidden: bool, adopt: bool, payout: str,
    dry_run: bool, as_json: bool, reach: Reach,
) -> int:
    """Publish a folder as a site, or a new version of it.

    DIR is a folder of the daemon's machine, as a site generator makes it. It is seeded where it lies, and only read
    (but for --payout): leave it as it is until you publish again. Who has the secret key can publish in your name, and
    without it nobody can: keep a copy of it.
    """
    request = sm.SitePublication(
        place(folder, reach) or folder, secret, name, web_seeds, hidden, adopt, dry_run, payout)
    return reach.run(lambda api: published(api, request, as_json=as_json))


async def published(api: Api, request: sm.SitePublication, *, as_json: bool) -> Exit:
    (job,) = await said.follow(api, [await api.publish_site(request)], as_json=as_json)
    if as_json:
        said.record(job)
    elif job.state == "done":
        tell(job.result, dry_run=request.dry_run)
    return said.ended(job)


def tell(result: Mapping[str, Any], *, dry_run: bool) -> None:
    """What changed, for a person."""
    for sign, kind in (("+", "added"), ("~", "changed"), ("-", "removed")):
        paths = result.get(kind, ())
        for path in paths[:_SHOWN]:
            output.line(text.clean(f"{sign} {path}"))
        if len(paths) > _SHOWN:
            output.line(f"  … and {len(paths) - _SHOWN:,} more {kind}; --json has them")
    for path in result.get("passed_over", ())[:_SHOWN]:
        output.line(text.clean(f"left out: {path}"))
    if not result.get("has_start"):
        output.warn("there is no index.html in the folder: the site begins with a list of its files")
    files, size, fetch = result.get("files", 0), result.get("size", 0), result.get("fetch", 0)
    output.line(f"{plural(files, 'file')}, {long_size(size)}; new to readers: {long_size(fetch)}")
    if dry_run:
        output.line("nothing was published")
        return
    output.line(f"published as number {result.get('seq')} at {plural(result.get('nodes', 0), 'node')}")
    output.line(f"link: {result.get('link')}")
    if result.get("url"):
        output.line(f"here: {result['url']}")


@command.command("forget")
@click.argument("site")
@reach.options
def forget_command(site: str, reach: Reach) -> int:
    """Forget a site, with its files. A folder that it is published from stays as it is."""
    return reach.run(lambda api: forget(api, site))


async def forget(api: Api, site: str) -> Exit:
    await api.forget_site(site)
    output.line(text.clean(f"forgotten: {site}"))
    return Exit.OK


@command.command("versions")
@click.argument("site")
@reach.options
@reach.as_json
def versions_command(site: str, as_json: bool, reach: Reach) -> int:
    """Show the versions of a site that are known."""
    return reach.run(lambda api: versions(api, site, as_json=as_json))


async def versions(api: Api, word: str, *, as_json: bool) -> Exit:
    found = await api.site(word)
    if as_json:
        said.record(found)
        return Exit.OK
    code = said.listed(found.versions, VERSIONS, version_line, "No version is known yet.", as_json=False)
    if found.changed:
        output.warn(text.clean(
            f"{plural(len(found.changed), 'file')} of {found.site.folder} changed since it was published: publish "
            "again"))
    if found.site.reason:
        output.warn(text.clean(found.site.reason))
    if found.site.payout:
        output.line(f"tips go to {text.clean(found.site.payout)}")
    if found.site.payout_was:
        output.warn(text.clean(
            f"the address for tips was {found.site.payout_was}: its owner changed it, or a thief of its key. Ask the "
            f"owner elsewhere, then: wildbach site set {found.site.key[:16]} --payout-seen"))
    return code


@command.command("tip")
@click.argument("word", metavar="SITE")
@click.argument("amount", type=TrxType(), metavar="TRX")
@click.option("--memo", default="", metavar="TEXT", help="Goes along; anybody can read it, for ever. It costs a fee.")
@click.option("--yes", is_flag=True, help="Do not ask whether what is shown is meant.")
@click.option("--wait", is_flag=True, help="Wait until it cannot be undone any more.")
@passphrase_file
@reach.options
@reach.as_json
def tip_command(
    word: str, amount: int, memo: str, yes: bool, wait: bool, passphrase_file: Path | None, as_json: bool, reach: Reach,
) -> int:
    """Send TRX to the address that a site names for tips. Where it changed, you say first that it is right."""
    tip = wm.WalletTip(amount, memo)
    return ask_and_send(
        reach, lambda api: api.quote_site_tip(word, tip), yes=yes, in_spite=False, wait=wait,
        passphrase_file=passphrase_file, as_json=as_json)


def version_line(version: sm.SiteVersion) -> Row:
    return (
        str(version.seq), text.moment(version.seen_at), text.short(version.size), str(version.files or ""),
        text.percent(version.progress), version.hash[:16], "shown" if version.shown else text.clean(version.reason))


@command.command("pin")
@click.argument("site")
@click.argument("version", default="")
@reach.options
def pin_command(site: str, version: str, reach: Reach) -> int:
    """Show one version of a site, whatever is newer; without VERSION the newest again."""
    return reach.run(lambda api: change(api, site, sm.SitePatch(pin=version)))


@command.command("set")
@click.argument("site")
@click.option("--name", metavar="TEXT", help="What you call it.")
@click.option("--keep/--no-keep", default=None, help="It stays on the disk whatever the quota says.")
@click.option("--foreign/--no-foreign", default=None, help="Its pages may use other web sites, which see who reads it.")
@click.option("--payout-seen", is_flag=True, help="The address for tips that it names now is right.")
@reach.options
def set_command(
    site: str, name: str | None, keep: bool | None, foreign: bool | None, payout_seen: bool, reach: Reach,
) -> int:
    """Change how a site is kept and shown."""
    patch = sm.SitePatch(
        UNSET if name is None else name, UNSET if keep is None else keep, UNSET if foreign is None else foreign,
        payout_seen=payout_seen)
    return reach.run(lambda api: change(api, site, patch))


async def change(api: Api, word: str, patch: sm.SitePatch) -> Exit:
    site = await api.change_site(word, patch)
    held = f"held at number {site.pinned}" if site.pinned >= 0 else "the newest version is shown"
    output.line(text.clean(
        f"{site.name or site.key}: {held}; {'kept' if site.keep else 'within the quota'}; "
        f"{'may use other sites' if site.foreign else 'uses nothing from elsewhere'}"))
    return Exit.OK


@command.command("diff")
@click.argument("site")
@click.argument("old", default="")
@click.argument("new", default="")
@reach.options
@reach.as_json
def diff_command(site: str, old: str, new: str, as_json: bool, reach: Reach) -> int:
    """Show what changed between two versions, by content; without them, in the newest that is here."""
    query = sm.SiteDifferenceQuery(old, new)
    return reach.run(lambda api: diff(api, site, query, as_json=as_json))


async def diff(api: Api, site: str, query: sm.SiteDifferenceQuery, *, as_json: bool) -> Exit:
    found = await api.site_difference(site, query)
    if as_json:
        said.record(found)
        return Exit.OK
    for sign, paths in (("+", found.added), ("~", found.changed), ("-", found.removed)):
        for path in paths:
            output.line(text.clean(f"{sign} {path}"))
    output.line(f"{text.short(found.fetch)} that the older one has not" + (
        f"; {found.more:,} changes are not listed" if found.more else ""))
    return Exit.OK


