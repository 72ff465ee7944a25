"""`wildbach channel`: channels that are followed, and those that are published."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from msgspec import UNSET, UnsetType

from wildbach.base.errors import UsageError
from wildbach.base.words import plural
from wildbach.interfaces.api import channelmodels as cm
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, said, text, writing
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.kinds import TrxType
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote import key as keys
from wildbach.interfaces.cli.remote.add import place
from wildbach.interfaces.cli.remote.wallet import ask_and_send
from wildbach.interfaces.cli.remote.walletparts import passphrase_file
from wildbach.interfaces.cli.table import Cell, Column, Row
from wildbach.protocol.channels.items import Link

CHANNELS: Final = (
    Column("TITLE", flexible=True), Column("ITEMS", right=True), Column("NEW", right=True),
    Column("HEARD", right=True, rank=1), Column("SEEDS", right=True, rank=2), Column("KEY", rank=3),
    Column("PROBLEM", rank=4),
)
ITEMS: Final = (
    Column(""), Column("TITLE", flexible=True), Column("LENGTH", right=True, rank=1), Column("DATE", rank=2),
    Column("CHANNEL", rank=3), Column("GUID", rank=4),
)
_SHOWN: Final = 20
F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


@click.group("channel", cls=ListGroup)
def command() -> None:
    """Follow and search channels that have no server, and publish your own.

    A channel is what one key publishes: films, music, texts. Who follows it gives it to others. Nothing that is in it
    is downloaded before you say so. CHANNEL is its title, the name of its secret key, or the beginning of its key.
    """


# -- reading


@command.command("list")
@reach.options
@reach.as_json
def list_command(as_json: bool, reach: Reach) -> int:
    """Show the channels that are followed here or published from here."""
    return reach.run(lambda api: listed(api, as_json=as_json))


async def listed(api: Api, *, as_json: bool) -> Exit:
    return said.listed((await api.channels()).channels, CHANNELS, line_of, "No channel is followed.", as_json=as_json)


def line_of(channel: cm.Channel) -> Row:
    mark = f" ({plural(channel.drafts, 'item')} to publish)" if channel.drafts else ""
    return (
        text.clean(channel.title) + mark, str(channel.items), str(channel.new or ""),
        text.moment(channel.heard_at) if channel.heard_at else "never", str(channel.seeds), channel.key[:16],
        Cell(text.clean(worry(channel)), "red"))


def worry(channel: cm.Channel) -> str:
    """What somebody should know of it."""
    if channel.payout_was:
        return "its address for tips changed: see wildbach channel show"
    return channel.reason or ("it names another recovery key than before" if channel.recovery_differs else "")


@command.command("show")
@click.argument("channel")
@reach.options
@reach.as_json
def show_command(channel: str, as_json: bool, reach: Reach) -> int:
    """Show what a channel says of itself."""
    return reach.run(lambda api: shown(api, channel, as_json=as_json))


async def shown(api: Api, word: str, *, as_json: bool) -> Exit:
    channel = await api.channel(word)
    if as_json:
        said.record(channel)
    else:
        describe(channel)
    return Exit.OK


def describe(channel: cm.Channel) -> None:
    """For a person."""
    facts = (
        ("title", channel.title), ("text", channel.text), ("author", channel.author), ("language", channel.lang),
        *(("link", f"{link.title} {link.url}".strip()) for link in channel.links), ("tips", channel.payout),
        ("items", f"{channel.items:,}, of which {channel.new:,} are new"),
        ("last heard", text.moment(channel.heard_at) if channel.heard_at else "never"), ("key", channel.key),
        ("give this to others", channel.link), ("secret key", channel.own),
        ("to publish", plural(channel.drafts, "item") if channel.drafts else ""), ("problem", channel.reason))
    for name, value in facts:
        if value:
            output.line(text.clean(f"{name}: {value}"))
    if channel.payout_was:
        output.warn(text.clean(
            f"the address for tips was {channel.payout_was}: its owner changed it, or a thief of its key. "
            f"Ask the owner elsewhere, then: wildbach channel set {channel.key[:16]} --payout-seen"))
    if channel.recovery_differs:
        output.warn("it names another recovery key than the one that was heard first; that one still counts")
    if channel.rotated:
        output.line("its key gave way to another, which its recovery key named")


@command.command("follow")
@click.argument("link")
@click.option("--name", default="", metavar="TEXT", help="What you call it.  [default: its title]")
@click.option("--auto", is_flag=True, help="Download what is new from now on.")
@reach.options
@reach.as_json
def follow_command(link: str, name: str, auto: bool, as_json: bool, reach: Reach) -> int:
    """Follow a channel: its list of items is fetched, and given to others from then on.

    LINK is what its owner gives away (magnet:?xs=urn:btpk:HEX&s=77622d6368), or the key alone: 52 letters, or 64 hex
    digits.
    """
    return reach.run(lambda api: follow(api, cm.ChannelFollowing(link, name, auto), as_json=as_json))


async def follow(api: Api, following: cm.ChannelFollowing, *, as_json: bool) -> Exit:
    channel = await api.follow_channel(following)
    if as_json:
        said.record(channel)
    else:
        output.line(text.clean(f"following {channel.title}; its items are listed once they are here"))
    return Exit.OK


@command.command("tip")
@click.argument("word", metavar="CHANNEL")
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
    """Send TRX to the address that a channel names for tips. Where it changed, you say first that it is right."""
    tip = wm.WalletTip(amount, memo)
    return ask_and_send(
        reach, lambda api: api.quote_tip(word, tip), yes=yes, in_spite=False, wait=wait,
        passphrase_file=passphrase_file, as_json=as_json)


@command.command("unfollow")
@click.argument("channel")
@reach.options
def unfollow_command(channel: str, reach: Reach) -> int:
    """Forget a channel, and what waits to be published in it. What was downloaded stays."""
    return reach.run(lambda api: unfollow(api, channel))


async def unfollow(api: Api, word: str) -> Exit:
    await api.unfollow_channel(word)
    output.line(text.clean(f"no longer followed: {word}"))
    return Exit.OK


def filters(function: F) -> F:
    """The flags that say which items."""
    for option in (
        click.option("--channel", "word", default="", metavar="CHANNEL", help="Only of this one."),
        click.option("--kind", default="", metavar="KIND", help="video, audio, text, image, application or other."),
        click.option("--lang", default="", metavar="CODE", help="The language; de finds de-AT too."),
        click.option("--licence", default="", metavar="NAME", help="Such as CC-BY-4.0."),
        click.option("--min", "shortest", type=float, default=0, metavar="MINUTES", help="At least so long."),
        click.option("--max", "longest", type=float, default=0, metavar="MINUTES", help="At most so long."),
        click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="So many."),
        click.option("--offset", type=click.IntRange(0, 10_000), default=0, help="Leave out the first so many."),
    ):
        function = option(function)
    return function


@command.command("search")
@click.argument("words", nargs=-1, required=True)
@filters
@reach.options
@reach.as_json
def search_command(words: tuple[str, ...], as_json: bool, reach: Reach, **given: Any) -> int:
    """Search the items of all channels. All WORDS must be there; the last may be the beginning of one."""
    return reach.run(lambda api: found(api, _query(words=" ".join(words), **given), as_json=as_json))


@command.command("items")
@click.argument("channel", default="")
@click.option("--new", is_flag=True, help="Only what came since you last looked; then it is new no longer.")
@click.option("--drafts", is_flag=True, help="What waits to be published.")
@filters
@reach.options
@reach.as_json
def items_command(channel: str, new: bool, drafts: bool, as_json: bool, reach: Reach, **given: Any) -> int:
    """Show the items of a channel, or of all, the newest first."""
    if drafts and not channel:
        raise UsageError("--drafts: name the channel")
    word = channel or given.pop("word")
    given.pop("word", None)
    if drafts:
        return reach.run(lambda api: waiting(api, word, as_json=as_json))
    return reach.run(lambda api: found(api, _query(word=word, new=new, **given), as_json=as_json, looked=new))


def _query(*, word: str, shortest: float, longest: float, words: str = "", **more: Any) -> cm.ItemQuery:
    return cm.ItemQuery(words, word, shortest=60 * shortest, longest=60 * longest, **more)


async def found(api: Api, query: cm.ItemQuery, *, as_json: bool, looked: bool = False) -> Exit:
    answer = await api.channel_items(query)
    code = said.listed(answer.items, ITEMS, item_line, "Nothing was found.", as_json=as_json)
    if answer.more and not as_json:
        output.line(f"There are more: --offset {query.offset + query.limit}")
    if looked and not answer.more:
        # What was listed now was seen.
        for key in dict.fromkeys(item.channel for item in answer.items):
            await api.look_at_channel(key)
    return code


async def waiting(api: Api, word: str, *, as_json: bool) -> Exit:
    answer = await api.channel_drafts(word)
    return said.listed(answer.items, ITEMS, item_line, "Nothing waits.", as_json=as_json)


def item_line(one: cm.ChannelItem) -> Row:
    mark = "removed" if one.item.removed else "new" if one.new else "here" if one.torrent else ""
    length = text.duration(one.item.duration) if one.item.duration else ""
    return (
        mark, text.clean(one.item.title or one.item.guid), length,
        text.moment(one.item.date) if one.item.date else "", text.clean(one.channel_title), text.clean(one.item.guid))


@command.command("download")
@click.argument("channel")
@click.argument("guid")
@reach.options
def download_command(channel: str, guid: str, reach: Reach) -> int:
    """Download an item of a channel. GUID is in the last column of items and search."""
    return reach.run(lambda api: download(api, channel, guid))


async def download(api: Api, word: str, guid: str) -> Exit:
    key = (await api.download_item(word, cm.ItemWord(guid))).torrent
    output.line(key)
    output.advise(f"it comes: wildbach show {key[:8]}")
    return Exit.OK


@command.command("feed")
@click.argument("channel")
@click.option("-o", "--output", "target", metavar="FILE", help="Write it there.  [default: to the terminal]")
@reach.options
def feed_command(channel: str, target: str | None, reach: Reach) -> int:
    """Print the RSS feed of a channel, for podcast programs and other clients."""
    return reach.run(lambda api: feed(api, channel, target))


async def feed(api: Api, word: str, target: str | None) -> Exit:
    raw = await api.channel_feed(word)
    if target is not None:
        writing.write_durably(Path(target), raw)
    else:
        sys.stdout.write(raw.decode("utf-8", "replace"))
    return Exit.OK


# -- publishing


def facts(function: F) -> F:
    """The flags that say what a channel is."""
    for option in (
        click.option("--text", "about", metavar="TEXT", help="What it is about."),
        click.option("--lang", metavar="CODE", help="Its language, such as de."),
        click.option("--author", metavar="NAME", help="Who makes it."),
        click.option("--link", "links", multiple=True, metavar="URL", help="A web site; may be repeated."),
        click.option("--payout", metavar="ADDRESS", help="Where tips go: an address of TRON."),
    ):
        function = option(function)
    return function


@command.command("create")
@click.argument("title")
@click.option("--key", "secret", default="default", show_default=True, metavar="NAME",
              help="The secret key to publish under; made when it is first used.")
@facts
@reach.options_but_key
@reach.as_json
def create_command(
    title: str, secret: str, about: str | None, lang: str | None, author: str | None, links: tuple[str, ...],
    payout: str | None, as_json: bool, reach: Reach,
) -> int:
    """Begin a channel. Nobody hears of it before you publish.

    Who has the secret key can publish in your name, and without it nobody can: keep a copy of it with `wildbach key
    export`, and write down its recovery key with `wildbach key recovery`.
    """
    making = cm.ChannelMaking(
        title, secret, about or "", lang or "", author or "", tuple(map(Link, links)), payout or "")
    return reach.run(lambda api: create(api, making, as_json=as_json))


async def create(api: Api, making: cm.ChannelMaking, *, as_json: bool) -> Exit:
    channel = await api.create_channel(making)
    if as_json:
        said.record(channel)
        return Exit.OK
    output.line(text.clean(f"{channel.title}: {channel.link}"))
    output.line(f"Make a copy of its key: wildbach key export {text.clean(making.key)} -o FILE")
    return Exit.OK


@command.command("set")
@click.argument("channel")
@click.option("--name", metavar="TEXT", help="What you call it; of your own its title.")
@click.option("--auto/--no-auto", default=None, help="Download what is new.")
@click.option("--payout-seen", is_flag=True, help="The address for tips that it names now is right.")
@click.option("--picture", metavar="FILE", help="A jpg, png or webp on the daemon's machine; empty for none.")
@facts
@reach.options
def set_command(
    channel: str, name: str | None, auto: bool | None, payout_seen: bool, picture: str | None, about: str | None,
    lang: str | None, author: str | None, links: tuple[str, ...], payout: str | None, reach: Reach,
) -> int:
    """Change a channel. What is said by your own is seen by others once you publish."""
    patch = cm.ChannelPatch(
        _or_unset(name), _or_unset(auto), payout_seen, _or_unset(about), _or_unset(lang), _or_unset(author),
        tuple(map(Link, links)) if links else UNSET, _or_unset(payout),
        UNSET if picture is None else place(picture, reach) or "")
    return reach.run(lambda api: change(api, channel, patch))


async def change(api: Api, word: str, patch: cm.ChannelPatch) -> Exit:
    describe(await api.change_channel(word, patch))
    return Exit.OK


def words_of_item(function: F) -> F:
    """The flags that say what an item is."""
    for option in (
        click.option("--title", metavar="TEXT", help="Its title.  [default: like the file]"),
        click.option("--text", "about", metavar="TEXT", help="What it is about."),
        click.option("--tag", "tags", multiple=True, metavar="WORD", help="May be repeated."),
        click.option("--lang", metavar="CODE", help="Its language, such as de."),
        click.option("--licence", metavar="NAME", help="Such as CC-BY-4.0."),
        click.option("--length", type=click.FloatRange(0, 10_000_000), metavar="SECONDS", help="How long it plays."),
    ):
        function = option(function)
    return function


def _words(
    title: str | None, about: str | None, tags: tuple[str, ...], lang: str | None, licence: str | None,
    length: float | None,
) -> cm.ItemPatch:
    return cm.ItemPatch(
        _or_unset(title), _or_unset(about), tags or UNSET, _or_unset(lang), _or_unset(licence), _or_unset(length))


def _or_unset(value: T | None) -> T | UnsetType:
    return UNSET if value is None else value


@command.command("add")
@click.argument("channel")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@words_of_item
@reach.options
@reach.as_json
def add_command(
    channel: str, sources: tuple[str, ...], title: str | None, about: str | None, tags: tuple[str, ...],
    lang: str | None, licence: str | None, length: float | None, as_json: bool, reach: Reach,
) -> int:
    """Have items wait to be published.

    SOURCE is a file or folder of the daemon's machine, which is seeded where it lies; a magnet link; or the info hash
    of a torrent that is here. A folder is one torrent, with an item for each film or piece of music in it. Subtitles
    and pictures with the name of a film belong to it.
    """
    links = tuple(one for one in sources if one[:7].lower() == "magnet:" or _is_hash(one))
    paths = tuple(place(one, reach) or one for one in sources if one not in links)
    making = cm.ItemMaking(paths, links, _words(title, about, tags, lang, licence, length))
    return reach.run(lambda api: add(api, channel, making, as_json=as_json))


def _is_hash(word: str) -> bool:
    return len(word) in (40, 64, 68) and all(character in "0123456789abcdefABCDEF" for character in word)


async def add(api: Api, word: str, making: cm.ItemMaking, *, as_json: bool) -> Exit:
    (job,) = await said.follow(api, [await api.add_channel_items(word, making)], as_json=as_json)
    if as_json:
        said.record(job)
    elif job.state == "done":
        for item in job.result.get("items", ())[:_SHOWN]:
            output.line(text.clean(f"{item['guid']}  {item['title']}"))
        count = job.result.get("count", 0)
        output.line(text.clean(f"{plural(count, 'item')} to publish: wildbach channel publish {shlex.quote(word)}"))
    return said.ended(job)


@command.command("edit")
@click.argument("channel")
@click.argument("guid")
@words_of_item
@reach.options
def edit_command(
    channel: str, guid: str, title: str | None, about: str | None, tags: tuple[str, ...], lang: str | None,
    licence: str | None, length: float | None, reach: Reach,
) -> int:
    """Change the words of an item, from the next version on."""
    change = cm.ItemChange(guid, _words(title, about, tags, lang, licence, length))
    return reach.run(lambda api: edit(api, channel, change))


async def edit(api: Api, word: str, change: cm.ItemChange) -> Exit:
    one = await api.change_channel_item(word, change)
    output.line(text.clean(f"{one.item.title}: changed, and to be published"))
    return Exit.OK


@command.command("remove")
@click.argument("channel")
@click.argument("guids", nargs=-1, required=True, metavar="GUID...")
@reach.options
def remove_command(channel: str, guids: tuple[str, ...], reach: Reach) -> int:
    """Remove items, from the next version on. What others downloaded stays with them."""
    return reach.run(lambda api: remove(api, channel, guids))


async def remove(api: Api, word: str, guids: tuple[str, ...]) -> Exit:
    for guid in guids:
        await api.remove_channel_item(word, cm.ItemWord(guid))
    output.line(text.clean(f"{plural(len(guids), 'item')} to be removed: wildbach channel publish {shlex.quote(word)}"))
    return Exit.OK


@command.command("publish")
@click.argument("channel")
@click.option("--adopt", is_flag=True,
              help="Go on from a version that was published elsewhere: by another machine with this key.")
@reach.options
@reach.as_json
def publish_command(channel: str, adopt: bool, as_json: bool, reach: Reach) -> int:
    """Publish what waits, and what the channel says of itself."""
    return reach.run(lambda api: publish(api, channel, cm.Publishing(adopt), as_json=as_json))


async def publish(api: Api, word: str, publishing: cm.Publishing, *, as_json: bool) -> Exit:
    (job,) = await said.follow(api, [await api.publish_channel(word, publishing)], as_json=as_json)
    if as_json:
        said.record(job)
    elif job.state == "done":
        result = job.result
        output.line(f"{plural(result.get('added', 0), 'item')} published as number {result.get('seq')} at "
                    f"{plural(result.get('nodes', 0), 'node')}")
        output.line(f"link: {result.get('link')}")
    return said.ended(job)


@command.command("rotate-key")
@click.argument("channel")
@click.option("--good", default="", metavar="HASH",
              help="The last version that is to be shown, where it is not what was published from here last.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@reach.options
@reach.as_json
def rotate_command(channel: str, good: str, yes: bool, as_json: bool, reach: Reach) -> int:
    """Put a new key in the place of one that was stolen: as `wildbach key rotate` with the channel's key."""
    name = ""

    async def named(api: Api) -> Exit:
        nonlocal name
        name = (await api.channel(channel)).own
        return Exit.OK

    code = reach.run(named)
    if code != Exit.OK:
        return code
    if not name:
        raise UsageError(f"{channel} is published by somebody else", code="not_own")
    return keys.rotated(name, (f"wb-ch:{good}",) if good else (), yes=yes, as_json=as_json, reach=reach)
