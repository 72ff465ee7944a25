"""Torrents of the daemon as people name them: by the beginning of a key, by the name or a part of it that only one has,
or all.
"""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from wildbach.base.errors import UsageError, WildbachError
from wildbach.base.words import plural
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import reach, text

SHORT: Final = 8
"Characters of a key that are shown."
_HEX = re.compile(r"[0-9a-f]{4,64}")
_PLAIN = re.compile(r"[\w.+=@%-]+")
_SEARCH: Final = 200
"As long as a search may be."
_PAGE: Final = 1000
_TOLD: Final = 10
_DOUBT: Final = 2
_NAMES: Final = 20_000
"That are looked through for one with a typo."
_ALIKE: Final = 0.75
_COMPLETED: Final = 50
_COMPLETE_SECONDS: Final = 1.5


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which torrents a command is for."""

    keys: tuple[str, ...] = ()
    everything: bool = False
    names: tuple[str, ...] = ()
    "Of those with keys."
    guessed: bool = False
    "A part of a name was enough to find one of them: what cannot be undone is asked for first."

    def words(self) -> str:
        """Who they are."""
        if self.everything:
            return "all torrents"
        return text.clean(self.names[0]) if len(self.names) == 1 else plural(len(self.names), "torrent")


async def chosen(api: Api, words: Sequence[str], everything: bool = False) -> Chosen:
    """Raises UsageError where there is none, or a word may mean several, which are named."""
    if everything:
        if words:
            raise UsageError("--all is all: it goes with no TORRENT")
        return Chosen(everything=True)
    if not words:
        raise UsageError("which torrent? Give the beginning of its key, or its name, or --all")
    meant = [(word, await one(api, word)) for word in words]
    rows = {row.key: row for _, row in meant}
    return Chosen(
        tuple(rows), names=tuple(row.name for row in rows.values()),
        guessed=not all(_is_named(row, word) for word, row in meant))


async def one(api: Api, word: str) -> m.TorrentRow:
    """The torrent of that key, beginning of a key, or name; else the only one whose name begins so, or has it in it.
    Raises UsageError, code `not_found` or `ambiguous`.
    """
    found: dict[str, m.TorrentRow] = {}
    near: list[m.TorrentRow] = []
    begin: list[m.TorrentRow] = []
    async for row in _rows(api, word.strip()[:_SEARCH]):
        if _is_named(row, word):
            found[row.key] = row
            continue
        if len(begin) < _DOUBT and row.name.casefold().startswith(word.strip().casefold()):
            begin.append(row)
        if len(near) <= _TOLD:
            near.append(row)
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise UsageError(
            f"{text.clean(word)!r} may mean {_listed(found.values())}: give more of the key", code="ambiguous")
    for alone in (begin, near):
        if len(alone) == 1:
            return alone[0]
    advice = f"; near it: {_listed(near)}" if near else await _meant(api, word)
    raise UsageError(f"no torrent has the key or the name {text.clean(word)!r}{advice}", code="not_found")


def _is_named(row: m.TorrentRow, word: str) -> bool:
    """By its whole name, or by the beginning of a key."""
    low = word.strip().lower()
    return row.name == word or (_HEX.fullmatch(low) is not None and any(
        key.startswith(low) for key in (row.key, row.infohash_v1, row.infohash_v2)))


async def _meant(api: Api, word: str) -> str:
    """What may have been meant by a word with a typo."""
    names: dict[str, None] = {}
    if word.strip():
        async for row in _rows(api):
            names[row.name] = None
            if len(names) >= _NAMES:
                break
    like = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(word.strip()[:_SEARCH].casefold(), like, 3, _ALIKE)
    if not near:
        return "; `wildbach ls` lists them"
    return f"; did you mean {' or '.join(repr(text.clean(like[name])) for name in near)}?"


async def _rows(api: Api, search: str | None = None) -> AsyncIterator[m.TorrentRow]:
    """All whose name has the words in it, or whose key begins so; without words all."""
    if search == "":
        return
    offset = 0
    while True:
        page = await api.list_torrents(m.Listing(sort="name", offset=offset, limit=_PAGE, search=search or ""))
        for row in page.torrents:
            yield row
        offset += len(page.torrents)
        if offset >= page.total or not page.torrents:
            return


def _listed(rows: Iterable[m.TorrentRow]) -> str:
    all_rows = list(rows)
    words = ", ".join(f"{row.key[:SHORT]} ({text.clean(row.name)})" for row in all_rows[:_TOLD])
    return words + (", …" if len(all_rows) > _TOLD else "")


# -- arguments of commands


def _complete(context: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names that a shell takes as they are, else keys. Nothing where no daemon answers at once."""
    values = context.params
    there = reach.made(context, *(values.get(name) for name in ("url", "key", "ca", "state_dir")))

    async def ask() -> list[CompletionItem]:
        async with asyncio.timeout(_COMPLETE_SECONDS), there.open() as api:
            page = await api.list_torrents(m.Listing(sort="name", limit=_COMPLETED, search=incomplete[:_SEARCH]))
        return [item for row in page.torrents if (item := _item(row, incomplete)) is not None]

    try:
        return asyncio.run(ask())
    except (WildbachError, TimeoutError):
        return []


def _item(row: m.TorrentRow, incomplete: str) -> CompletionItem | None:
    if row.name.startswith(incomplete) and _PLAIN.fullmatch(row.name):
        return CompletionItem(row.name, help=f"{row.state}, {text.size(row.size)}")
    key = row.key[: max(SHORT, len(incomplete))]
    return CompletionItem(key, help=text.clean(row.name)) if key.startswith(incomplete.lower()) else None


def several(function: Callable[..., int]) -> Callable[..., int]:
    """Add TORRENT... and --all to a command, which gets `words` and `everything`."""
    function = click.option("--all", "everything", is_flag=True, help="All torrents.")(function)
    return click.argument("words", nargs=-1, metavar="TORRENT...", shell_complete=_complete)(function)


def single(function: Callable[..., int]) -> Callable[..., int]:
    """Add TORRENT to a command, which gets `word`."""
    return click.argument("word", metavar="TORRENT", shell_complete=_complete)(function)


def for_several(function: Callable[..., Any]) -> Callable[..., int]:
    """`several`, the flags about the daemon and --json."""
    return several(reach.options(reach.as_json(_same(function))))


def for_single(function: Callable[..., Any]) -> Callable[..., int]:
    """`single`, the flags about the daemon and --json."""
    return single(reach.options(reach.as_json(_same(function))))


def _same(function: Callable[..., Any]) -> Callable[..., int]:
    @wraps(function)
    def called(**values: Any) -> int:
        return int(function(**values))

    return called
