"""`wildbach rss rules`: which articles are downloaded."""

from __future__ import annotations

from typing import Any, Final

import click
import msgspec

from wildbach.base import limits
from wildbach.base.errors import FormatError, StorageError, UsageError
from wildbach.base.words import plural
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, table, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.table import Cell, Column
from wildbach.services.feeds import qbittorrent
from wildbach.services.feeds.episodes import EpisodeFilter

RULES: Final = (
    Column("RULE"), Column("ON"), Column("CONTAINS", flexible=True), Column("FEEDS", right=True, rank=2),
    Column("CATEGORY", rank=1),
)
MATCHES: Final = (Column("TAKEN"), Column("FEED", rank=2), Column("TITLE", flexible=True), Column("WHY", rank=1))
_BYTES: Final = 1 << 20
_FIELDS: Final = {
    "contains": "mustContain", "without": "mustNotContain", "regex": "useRegex", "episodes": "episodeFilter",
    "smart": "smartFilter", "feeds": "affectedFeeds", "ignore_days": "ignoreDays", "enabled": "enabled",
}
_OPTIONS: Final = {"category": "category", "save_path": "save_path", "tags": "tags", "stopped": "stopped"}
"The fields of a rule's JSON (docs/guide-rss.md) by the flags of `set`."


@click.group("rules", cls=ListGroup)
def command() -> None:
    """List, make, try and remove the rules by which articles are downloaded."""


@command.command("list")
@reach.options
@reach.as_json
def list_command(as_json: bool, reach: Reach) -> int:
    """Show the rules."""
    return reach.run(lambda api: show(api, as_json=as_json))


async def show(api: Api, *, as_json: bool) -> Exit:
    found = (await api.feed_rules()).rules
    if as_json:
        for name, rule in found.items():
            output.record({"name": name, "rule": rule})
    elif found:
        table.show(RULES, [
            (text.clean(name), "yes" if rule.get("enabled") else "no", text.clean(str(rule.get("mustContain", ""))),
             "all" if rule.get("wildbach", {}).get("allFeeds") else str(len(rule.get("affectedFeeds", ()))),
             text.clean(str(rule.get("torrentParams", {}).get("category", "")))) for name, rule in found.items()])
    else:
        output.line("There are no rules.")
    return Exit.OK


@command.command("set")
@click.argument("name")
@click.option("--contains", metavar="WORDS", help="What the title has in it; | between words: any of them.")
@click.option("--without", metavar="WORDS", help="What it does not have.")
@click.option("--regex/--no-regex", default=None, help="Both are regular expressions.")
@click.option("--episodes", metavar="FILTER", help="Seasons and episodes, as 1x2-;")
@click.option("--smart/--no-smart", default=None, help="No episode twice.")
@click.option("--feed", "feeds", multiple=True, metavar="URL", help="Articles of this feed; may be repeated.")
@click.option("--ignore-days", type=click.IntRange(0), metavar="N", help="Take nothing for so long after a match.")
@click.option("--category", metavar="NAME", help="The category of what is downloaded.")
@click.option("--save-path", metavar="DIR", help="Its folder.")
@click.option("--tag", "tags", multiple=True, metavar="NAME", help="A tag for it; may be repeated.")
@click.option("--stopped/--start", "stopped", default=None, help="Whether it begins.")
@click.option("--enabled/--disabled", default=None, help="Whether the rule holds.")
@click.option("--json-file", "file", type=click.File("rb"), metavar="FILE",
              help="The whole rule as JSON, as `list --json` prints it and qBittorrent exports it; - for stdin.")
@reach.options
def set_command(name: str, file: Any, reach: Reach, **values: Any) -> int:
    """Make a rule, or change one.

    What is not given stays as it is. `wildbach rss rules try NAME` says what a rule would take.
    """
    _check_episodes(values["episodes"] or "")
    given = {field: list(value) if isinstance(value, tuple) else value
             for field, value in values.items() if value not in (None, ())}
    whole = _read(file) if file is not None else None
    return reach.run(lambda api: put(api, name, whole, given))


def _check_episodes(words: str) -> None:
    """A rule whose filter cannot be read takes nothing, and says so to nobody who does not ask. Raises UsageError."""
    try:
        if words:
            EpisodeFilter.parse(words)
    except FormatError as error:
        raise UsageError(f"{text.clean(words)!r}: {error.message}") from None


def _read(file: Any) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read(_BYTES), type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise UsageError(f"that is no rule in JSON: {error}") from None


async def put(api: Api, name: str, whole: dict[str, Any] | None, given: dict[str, Any]) -> Exit:
    there = (await api.feed_rules()).rules
    rule = dict(whole if whole is not None else there.get(name, {}))
    rule |= {_FIELDS[field]: value for field, value in given.items() if field in _FIELDS}
    rule["torrentParams"] = dict(rule.get("torrentParams") or {}) | {
        _OPTIONS[field]: value for field, value in given.items() if field in _OPTIONS}
    await api.put_feed_rule(m.FeedRule(name, rule))
    output.line(text.clean(f"{'changed' if name in there else 'made'}: {name}"))
    return Exit.OK


@command.command("export")
@click.argument("file", type=click.File("wb", lazy=True), metavar="FILE")
@reach.options
def export_command(file: Any, reach: Reach) -> int:
    """Write all rules into a file, as qBittorrent reads and writes it; - for stdout."""
    return reach.run(lambda api: export(api, file))


async def export(api: Api, file: Any) -> Exit:
    rules = (await api.feed_rules()).rules
    data = msgspec.json.format(msgspec.json.encode(rules), indent=4)
    try:
        file.write(data + b"\n")
        file.flush()
    except OSError as error:
        raise StorageError(f"{file.name}: {error.strerror}", path=str(file.name), errno=error.errno or 0) from error
    if file.name not in ("-", "<stdout>"):
        output.line(text.clean(f"wrote {plural(len(rules), 'rule')} to {file.name}"))
    return Exit.OK


@command.command("import")
@click.argument("file", type=click.File("rb"), metavar="FILE")
@reach.options
def import_command(file: Any, reach: Reach) -> int:
    """Read rules from a file of `export`, or one that qBittorrent exported; - for stdin.

    Rules of the same name are replaced, others stay. Nothing is read of a file that has a rule which cannot be.
    """
    data = file.read(limits.FEED_RULES_BYTES + 1)
    return reach.run(lambda api: take(api, data))


async def take(api: Api, data: bytes) -> Exit:
    try:
        found = qbittorrent.read(data)
    except FormatError as error:
        raise UsageError(f"that is no file of rules: {error.message}") from None
    there = (await api.feed_rules()).rules
    for name, (rule, memory) in found.items():
        await api.put_feed_rule(m.FeedRule(name, qbittorrent.to_json(rule, memory)))
    new = sum(name not in there for name in found)
    output.line(f"read {plural(len(found), 'rule')}: {new:,} new, {len(found) - new:,} replaced")
    for name, (rule, _) in found.items():
        try:
            _check_episodes(rule.episode_filter)
        except UsageError as error:
            output.warn(text.clean(f"{name} takes nothing as it is: {error.message}"))
    return Exit.OK


@command.command("rename")
@click.argument("name")
@click.argument("to", metavar="NEW")
@reach.options
def rename_command(name: str, to: str, reach: Reach) -> int:
    """Give a rule another name."""
    return reach.run(lambda api: rename(api, name, to))


async def rename(api: Api, name: str, to: str) -> Exit:
    await api.rename_feed_rule(m.RuleName(name, to))
    output.line(text.clean(f"renamed: {name} to {to}"))
    return Exit.OK


@command.command("rm")
@click.argument("name")
@reach.options
def rm_command(name: str, reach: Reach) -> int:
    """Remove a rule."""
    return reach.run(lambda api: remove(api, name))


async def remove(api: Api, name: str) -> Exit:
    await api.remove_feed_rule(m.RuleName(name))
    output.line(text.clean(f"removed: {name}"))
    return Exit.OK


@command.command("try")
@click.argument("name")
@click.option("--all", "everything", is_flag=True, help="Also what it would not take.")
@reach.options
@reach.as_json
def try_command(name: str, everything: bool, as_json: bool, reach: Reach) -> int:
    """Show which of the articles there are a rule would take, and why not the others.

    Nothing is downloaded.
    """
    return reach.run(lambda api: attempt(api, name, everything=everything, as_json=as_json))


async def attempt(api: Api, name: str, *, everything: bool, as_json: bool) -> Exit:
    found = (await api.try_feed_rule(m.FeedRule(name, {}))).matches
    taken = sum(one.matches for one in found)
    shown = [one for one in found if everything or one.matches]
    if as_json:
        for one in shown:
            output.record(msgspec.to_builtins(one))
        return Exit.OK
    if shown:
        table.show(MATCHES, [
            (Cell("yes", "green") if one.matches else Cell("no", "dim"), text.clean(one.feed), text.clean(one.title),
             text.clean(one.reason)) for one in shown])
    output.line(f"{taken:,} of {plural(len(found), 'article')} would be taken")
    return Exit.OK
