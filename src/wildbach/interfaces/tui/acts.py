"""What keys do to torrents, by way of the Api: each act gives a line that says what came of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from wildbach.base.errors import UsageError
from wildbach.base.words import plural
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import sources, text

_MAGNETS: Final = 100
"Links that are copied at a time."
SIMPLE: Final[dict[str, tuple[m.Act, str]]] = {
    "start": ("start", "started"), "stop": ("stop", "stopped"),
    "force": ("force_start", "started, whatever the queue says"),
    "reannounce": ("reannounce", "trackers are asked"), "check": ("recheck", "being checked"),
    "queue_up": ("up", "earlier in the queue"), "queue_down": ("down", "later in the queue"),
}
"Acts of one key: what is asked for, and how it is said."


@dataclass(frozen=True, slots=True)
class Came:
    """What came of something that was asked for."""

    words: str
    failed: tuple[m.Failure, ...] = ()
    copied: str = ""
    "For the clipboard."
    removed: tuple[str, ...] = ()
    "Can be had back."


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which torrents something is done to."""

    keys: tuple[str, ...]
    name: str = ""
    "Of a single one."

    @property
    def words(self) -> str:
        return text.clean(self.name) if len(self.keys) == 1 and self.name else plural(len(self.keys), "torrent")


def _said(chosen: Chosen, outcome: m.Outcome, words: str) -> str:
    if not outcome.failed:
        return f"{chosen.words}: {words}"
    if outcome.done:
        return f"{outcome.done:,} of {plural(len(chosen.keys), 'torrent')}: {words}; {len(outcome.failed):,} not"
    return f"{chosen.words}: {text.clean(outcome.failed[0].error)}"


async def simple(api: Api, act: str, chosen: Chosen) -> Came:
    asked, words = SIMPLE[act]
    outcome = await api.act(m.Action(asked, chosen.keys))
    return Came(_said(chosen, outcome, words), outcome.failed)


async def remove(api: Api, chosen: Chosen, *, files: bool, now: bool) -> Came:
    outcome = await api.remove_torrents(m.Removal(chosen.keys, files=files, now=now))
    failed = {failure.key for failure in outcome.failed}
    gone = tuple(key for key in chosen.keys if key not in failed)
    if now:
        return Came(_said(chosen, outcome, "removed for good"), outcome.failed)
    there = {one.key for one in (await api.trash()).torrents}
    back = tuple(key for key in gone if key in there)
    return Came(_said(chosen, outcome, "removed; u has it back" if back else "removed"), outcome.failed, removed=back)


async def undo(api: Api, keys: Sequence[str]) -> Came:
    outcome = await api.restore(m.Selection(tuple(keys)))
    chosen = Chosen(tuple(keys))
    return Came(_said(chosen, outcome, "back again"), outcome.failed)


async def move(api: Api, chosen: Chosen, typed: str, *, near: bool) -> Came:
    path = place(typed, near=near)
    if not path:
        raise UsageError("a folder is needed")
    jobs = await api.move_torrents(m.Move(path, chosen.keys))
    return Came(f"{chosen.words}: on the way to {text.clean(path)}" if jobs.jobs else f"{chosen.words}: there already")


async def patch(api: Api, chosen: Chosen, change: m.TorrentPatch, words: str) -> Came:
    outcome = await api.change_torrents(m.TorrentsPatch(change, chosen.keys))
    return Came(_said(chosen, outcome, words), outcome.failed)


async def category(api: Api, chosen: Chosen, name: str) -> Came:
    """Also one that was not there."""
    name = name.strip()
    if name and name not in {one.name for one in (await api.categories()).categories}:
        await api.put_category(m.Category(name))
    return await patch(
        api, chosen, m.TorrentPatch(category=name), f"category {text.clean(name)}" if name else "no category")


async def tags(api: Api, chosen: Chosen, words: str) -> Came:
    """`a, b, -c`: these are added, that is taken away."""
    names = [word.strip() for word in words.split(",") if word.strip()]
    more = tuple(name for name in names if not name.startswith("-"))
    less = tuple(name[1:].strip() for name in names if name.startswith("-"))
    return await patch(api, chosen, m.TorrentPatch(add_tags=more, remove_tags=less), "tags changed")


def rate(words: str) -> int | None:
    """Bytes a second of `2M`, `0` or `none`; None where nothing was typed. Raises UsageError."""
    word = words.strip().lower()
    if not word:
        return None
    return 0 if word in ("none", "-") else text.parse_size(words)


async def limits(api: Api, chosen: Chosen, typed: Sequence[str]) -> Came:
    """Down and up of the torrents, then of all together. Raises UsageError."""
    down, up, all_down, all_up = map(rate, typed)
    said = []
    failed: tuple[m.Failure, ...] = ()
    if chosen.keys and (down is not None or up is not None):
        change = m.TorrentPatch(
            down_limit=msgspec.UNSET if down is None else down, up_limit=msgspec.UNSET if up is None else up)
        came = await patch(api, chosen, change, _limit_words(down, up))
        said.append(came.words)
        failed = came.failed
    if all_down is not None or all_up is not None:
        await api.set_limits(m.RateLimits(
            down=msgspec.UNSET if all_down is None else all_down, up=msgspec.UNSET if all_up is None else all_up))
        said.append(f"all together: {_limit_words(all_down, all_up)}")
    return Came(" · ".join(said) or "limits are as they were", failed)


def _limit_words(down: int | None, up: int | None) -> str:
    return " ".join(
        f"{arrow} {text.rate(limit) if limit else 'no limit'}" for arrow, limit in (("↓", down), ("↑", up))
        if limit is not None)


async def magnets(api: Api, chosen: Chosen) -> Came:
    links = [(await api.torrent(key)).magnet for key in chosen.keys[:_MAGNETS]]
    words = "the magnet link is copied" if len(links) == 1 else f"{plural(len(links), 'magnet link')} copied"
    return Came(f"{chosen.words}: {words}", copied="\n".join(links))


async def slow_mode(api: Api) -> Came:
    on = (await api.set_slow_mode(m.SlowMode())).on
    return Came("slow mode: the alternative limits hold" if on else "slow mode is off")


@dataclass(frozen=True, slots=True)
class Adding:
    sources: tuple[str, ...]
    folder: str = ""
    stopped: bool = False
    near: bool = True
    "The daemon is on this machine: paths mean the same there."



def place(words: str, *, near: bool) -> str:
    """A folder as the daemon understands it: of this machine it is taken from here."""
    return os.path.abspath(os.path.expanduser(words)) if words and near else words


def is_source(words: str) -> bool:
    """Whether pasted words are to be added."""
    word = words.strip()
    return sources.is_url(word) or word.lower().startswith("magnet:") or sources.is_hash(word)


async def add(api: Api, adding: Adding) -> Came:
    """Raises UsageError, StorageError, FormatError and LimitError for what cannot be read."""
    urls: list[str] = []
    files: list[bytes] = []
    for word in adding.sources:
        if is_source(word):
            urls.append(word)
        else:
            path = place(word, near=True)
            files.append(await asyncio.get_running_loop().run_in_executor(None, sources.read, path))
    if not urls and not files:
        raise UsageError("a magnet link, a URL, an info hash or a torrent file is needed")
    result = await api.add_torrents(m.AddRequest(
        urls=tuple(urls), files=tuple(files), save_path=place(adding.folder, near=adding.near),
        stopped=True if adding.stopped else None))
    return Came(" · ".join(_added(result.added)))


def _added(added: Iterable[m.Added]) -> list[str]:
    """What came of each; alike ones together."""
    said: dict[str, list[str]] = {}
    for one in added:
        kind = f"not added: {text.clean(one.error)}" if one.error else "there already" if one.duplicate else "added"
        said.setdefault(kind, []).append(text.clean(one.name or one.source)[:200])
    return [f"{kind}: {names[0]}" if len(names) == 1 else f"{kind}: {plural(len(names), 'torrent')}"
            for kind, names in said.items()]
