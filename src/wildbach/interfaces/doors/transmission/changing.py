"""What is done to torrents that are there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, UnsetType, structs

from wildbach.base.errors import WildbachError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.transmission import fields, priorities, refusal
from wildbach.interfaces.doors.transmission.asked import Asked, Given
from wildbach.interfaces.doors.transmission.parameters import Params
from wildbach.interfaces.doors.transmission.refusal import Refusal
from wildbach.interfaces.doors.transmission.usual import Usual, limit_of

_LIMITS = (
    "download_limit", "download_limited", "upload_limit", "upload_limited", "seed_ratio_limit", "seed_ratio_mode",
    "seed_idle_limit", "seed_idle_mode",
)
_FILES = ("files_wanted", "files_unwanted", *priorities.NAMES)
_TRACKERS = ("tracker_list", "tracker_add", "tracker_remove", "tracker_replace")


def labels_of(params: Params) -> tuple[str, ...] | None:
    """Our tags."""
    labels = params.texts("labels")
    if labels is None:
        return None
    found = tuple(dict.fromkeys(label.strip() for label in labels))
    if not all(found):
        raise Refusal(refusal.INVALID_PARAMS, "labels cannot be empty")
    if any("," in label for label in found):
        raise Refusal(refusal.INVALID_PARAMS, "labels cannot contain comma (,) character")
    return found


# -- actions


async def _act(asked: Asked, act: m.Act) -> Given:
    keys = await asked.keys()
    if keys:
        outcome = await asked.api.act(m.Action(act, tuple(keys)))
        if outcome.failed and not outcome.done:
            raise Refusal(refusal.SYSTEM_ERROR, outcome.failed[0].error)
    return {}


async def torrent_start(asked: Asked) -> Given:
    return await _act(asked, "start")


async def torrent_start_now(asked: Asked) -> Given:
    return await _act(asked, "force_start")


async def torrent_stop(asked: Asked) -> Given:
    return await _act(asked, "stop")


async def torrent_verify(asked: Asked) -> Given:
    return await _act(asked, "recheck")


async def torrent_reannounce(asked: Asked) -> Given:
    return await _act(asked, "reannounce")


async def queue_move_top(asked: Asked) -> Given:
    return await _act(asked, "top")


async def queue_move_up(asked: Asked) -> Given:
    return await _act(asked, "up")


async def queue_move_down(asked: Asked) -> Given:
    return await _act(asked, "down")


async def queue_move_bottom(asked: Asked) -> Given:
    return await _act(asked, "bottom")


async def torrent_remove(asked: Asked) -> Given:
    files = asked.params.flag("delete_local_data") or False
    keys = await asked.keys()
    if keys:
        outcome = await asked.api.remove_torrents(m.Removal(tuple(keys), files=files))
        failed = [failure for failure in outcome.failed if failure.code != "not_found"]
        if failed:
            raise Refusal(refusal.SYSTEM_ERROR, failed[0].error)
    return {}


# -- places


def absolute(path: str, what: str) -> str:
    if not path.startswith(("/", "~")):
        raise Refusal(refusal.PATH_NOT_ABSOLUTE, f"{what} is not absolute")
    return path


async def torrent_set_location(asked: Asked) -> Given:
    location = asked.params.text("location")
    if location is None:
        raise Refusal(refusal.INVALID_PARAMS, "no location")
    absolute(location, "new location path")
    keys = await asked.keys()
    if keys:
        await asked.api.move_torrents(m.Move(location, tuple(keys), look=not asked.params.flag("move")))
    return {}


async def torrent_rename_path(asked: Asked) -> Given:
    keys = await asked.keys()
    if len(keys) != 1 or "ids" not in asked.params:
        raise Refusal(refusal.INVALID_PARAMS, "torrent-rename-path requires 1 torrent")
    path, name = asked.params.text("path"), asked.params.text("name")
    if not path or not name or "/" in name or name in (".", ".."):
        raise Refusal(refusal.INVALID_PARAMS, "a path and a new name are needed; the name cannot be a path")
    folder, slash, _ = path.strip("/").rpartition("/")
    await asked.api.rename(keys[0], m.Rename(path, f"{folder}{slash}{name}"))
    return {"path": path, "name": name, "id": asked.numbers.number(keys[0])}


# -- torrent-set


async def torrent_set(asked: Asked) -> Given:
    params = asked.params
    patch = await _patch(asked)
    place = params.whole("queue_position")
    location = params.text("location")
    if location is not None:
        absolute(location, "new location path")
    keys = await asked.keys()
    if not keys:
        return {}
    if any(name in params for name in _LIMITS):
        await _change_limits(asked, keys, patch)
    elif patch != m.TorrentPatch():
        await asked.api.change_torrents(m.TorrentsPatch(patch, tuple(keys)))
    if any(params.wholes(name) is not None for name in _FILES):
        for key in keys:
            await _choose_files(asked, key)
    if any(name in params for name in _TRACKERS):
        for key in keys:
            await _change_trackers(asked, key)
    if place is not None:
        await asked.api.act(m.Action("place", tuple(keys), place=place + 1))
    if location is not None:
        await asked.api.move_torrents(m.Move(location, tuple(keys)))
    return {}


async def _patch(asked: Asked) -> m.TorrentPatch:
    """What is the same for all of them."""
    params = asked.params
    labels, sequential, group = labels_of(params), params.flag("sequential_download"), params.text("group")
    if group:
        await need_category(asked, group)
    return m.TorrentPatch(
        tags=UNSET if labels is None else labels, sequential=UNSET if sequential is None else sequential,
        category=UNSET if group is None else group)


async def need_category(asked: Asked, name: str) -> None:
    """A group is made where it is first named."""
    if name not in {one.name for one in (await asked.api.categories()).categories}:
        await asked.api.put_category(m.Category(name))


async def _change_limits(asked: Asked, keys: list[str], patch: m.TorrentPatch) -> None:
    """A limit and its switch are one setting with us; a value without the switch waits for it."""
    params = asked.params
    usual = await Usual.of(asked.api)
    given = {
        "download_limit": params.whole("download_limit", 0, 1 << 30),
        "upload_limit": params.whole("upload_limit", 0, 1 << 30),
        "seed_ratio_limit": None if (asked_ratio := params.real("seed_ratio_limit")) is None else
        min(max(asked_ratio, 0.0), 1e9),
        "seed_idle_limit": params.whole("seed_idle_limit", 0, 1 << 30),
    }
    flags = params.flag("download_limited"), params.flag("upload_limited")
    modes = _mode(params, "seed_ratio_mode"), _mode(params, "seed_idle_mode")
    patches: dict[m.TorrentPatch, list[str]] = defaultdict(list)
    async for row in asked.rows(keys):
        latent = asked.numbers.latent.get(row.key, {}) | {
            name: value for name, value in given.items() if value is not None}
        seen = fields.Seen(asked.numbers.number(row.key), row, usual, 0, latent)
        down = _rate(given["download_limit"], flags[0], row.down_limit, fields.down_kilobytes(seen))
        up = _rate(given["upload_limit"], flags[1], row.up_limit, fields.up_kilobytes(seen))
        ratio: float | UnsetType = UNSET
        if given["seed_ratio_limit"] is not None or modes[0] is not None:
            mode = fields.ratio_mode(row) if modes[0] is None else modes[0]
            value = given["seed_ratio_limit"]
            ratio = (-2.0, fields.ratio_limit(seen) if value is None else value, -1.0)[mode]
        idle: int | UnsetType = UNSET
        if given["seed_idle_limit"] is not None or modes[1] is not None:
            mode = fields.idle_mode(row) if modes[1] is None else modes[1]
            minutes = given["seed_idle_limit"]
            idle = (-2, int(fields.idle_minutes(seen) if minutes is None else minutes) * 60, -1)[mode]
        if row.ratio_limit >= 0:
            latent.setdefault("seed_ratio_limit", row.ratio_limit)
        if row.idle_limit >= 0:
            latent.setdefault("seed_idle_limit", row.idle_limit // 60)
        latent.setdefault("download_limit", fields.down_kilobytes(seen))
        latent.setdefault("upload_limit", fields.up_kilobytes(seen))
        asked.numbers.latent[row.key] = latent
        made = structs.replace(patch, down_limit=down, up_limit=up, ratio_limit=ratio, idle_limit=idle)
        patches[made].append(row.key)
    for made, those in patches.items():
        await asked.api.change_torrents(m.TorrentsPatch(made, tuple(those)))


def _mode(params: Params, name: str) -> int | None:
    mode = params.whole(name, -1, 3)
    if mode not in (None, fields.USUAL, fields.OWN, fields.NONE):
        raise Refusal(refusal.INVALID_PARAMS, f"{name} must be 0, 1 or 2")
    return mode


def _rate(kilobytes: float | None, on: bool | None, now: int, known: float) -> int | UnsetType:
    if kilobytes is None and on is None:
        return UNSET
    if not (now > 0 if on is None else on):
        return 0 if on is not None else UNSET
    return limit_of(known if kilobytes is None else kilobytes)


# -- files


async def _choose_files(asked: Asked, key: str) -> None:
    rows = await asked.files(key)
    if not rows:
        raise Refusal(refusal.FILE_INDEX, "the files are not known yet: the metadata is not here")
    old = [row.priority for row in rows]
    chosen = {name: places for name in _FILES if (places := asked.params.wholes(name)) is not None}
    new = priorities.priorities_of(chosen_files(chosen, priorities.wishes_of(old)))
    changes = {str(row.index): there for row, now, there in zip(rows, old, new, strict=True) if now != there}
    if changes:
        await asked.api.set_priorities(key, m.FilePriorities(changes))


def chosen_files(chosen: Mapping[str, list[int]], wishes: list[priorities.Wish]) -> list[priorities.Wish]:
    """`chosen` has places by the names of the parameters."""
    try:
        return priorities.choose(
            wishes, wanted=chosen.get("files_wanted"), unwanted=chosen.get("files_unwanted"),
            priorities={
                priority: chosen[name] for name, priority in priorities.NAMES.items() if name in chosen
            })
    except IndexError:
        raise Refusal(refusal.FILE_INDEX) from None


# -- trackers


async def _change_trackers(asked: Asked, key: str) -> None:
    params = asked.params
    text = params.text("tracker_list")
    try:
        if text is not None:
            await asked.api.change_trackers(key, m.TrackerChange(tiers=tiers_of(text)))
            return
        urls = [row.url for row in (await asked.api.trackers(key)).trackers if row.tier >= 0]
        more = [url.strip() for url in params.texts("tracker_add") or []]
        pairs = _pairs(params.mixed("tracker_replace"))
        await asked.api.change_trackers(key, m.TrackerChange(
            remove=tuple(_url(one, urls) for one in _listed(params.mixed("tracker_remove"))),
            replace={_url(old, urls): new for old, new in pairs},
            add=tuple((url,) for url in dict.fromkeys(more) if url and url not in urls),
        ))
    except WildbachError as error:
        code = refusal.INVALID_TRACKER_LIST if text is not None else refusal.SET_ANNOUNCE_LIST
        raise Refusal(code, error.message) from None


def tiers_of(text: str) -> tuple[tuple[str, ...], ...]:
    """One URL a line, a blank line between tiers."""
    tiers: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip():
            tiers[-1].append(line.strip())
        else:
            tiers.append([])
    return tuple(tuple(tier) for tier in tiers if tier)


def _listed(value: Any) -> list[str | int]:
    return [] if value is None else list(value) if isinstance(value, list) else [value]


def _url(one: str | int, urls: list[str]) -> str:
    """Of a tracker that is named by its id, or by its URL as in Transmission 2."""
    if isinstance(one, str):
        return one
    if not 0 <= one < len(urls):
        raise Refusal(refusal.SET_ANNOUNCE_LIST, f"there is no tracker {one}")
    return urls[one]


def _pairs(value: Any) -> list[tuple[str | int, str]]:
    flat = _listed(value)
    pairs = list(zip(flat[::2], flat[1::2], strict=False))
    if len(flat) % 2 or not all(isinstance(new, str) for _, new in pairs):
        raise Refusal(refusal.INVALID_PARAMS, "tracker_replace must be pairs of an id and a URL")
    return [(old, str(new)) for old, new in pairs]
