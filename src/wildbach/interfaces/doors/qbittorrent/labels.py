"""torrents/… of categories and tags."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.qbittorrent import names
from wildbach.interfaces.doors.qbittorrent.call import Answer, Call, bad, conflict, data, text
from wildbach.interfaces.doors.qbittorrent.endpoints import endpoint


async def all_categories(call: Call) -> dict[str, dict[str, Any]]:
    """As torrents/categories and sync/maindata have them, in the order of their names."""
    return {
        category.name: _shown(category)
        for category in sorted((await call.api.categories()).categories, key=lambda category: category.name)
    }


def _shown(category: m.Category) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": category.name,
        "savePath": category.save_path,
        "ratio_limit": category.ratio_limit,
        "seeding_time_limit": names.minutes(category.seeding_limit),
        "inactive_seeding_time_limit": names.minutes(category.idle_limit),
    }
    # Left out where it is as the settings say; false where there is none.
    if category.incomplete_path is not None:
        shown["download_path"] = category.incomplete_path or False
    return shown


@endpoint("torrents/categories", "All categories, with their folders and limits.")
async def categories(call: Call) -> Answer:
    return data(await all_categories(call))


@endpoint("torrents/createCategory", "Makes a category.", change=True)
async def create_category(call: Call) -> Answer:
    [name] = call.required("category")
    if not name:
        raise bad("Category cannot be empty")
    _check_name(name)
    if any(category.name == name for category in (await call.api.categories()).categories):
        raise conflict("Unable to create category")
    await call.api.put_category(_changed(call, m.Category(name)))
    return text()


@endpoint("torrents/editCategory", "Changes a category.", change=True)
async def edit_category(call: Call) -> Answer:
    [name] = call.required("category")
    if not name:
        raise bad("Category cannot be empty")
    for category in (await call.api.categories()).categories:
        if category.name == name:
            await call.api.put_category(_changed(call, category))
            return text()
    raise conflict("Unable to edit category")


def _check_name(name: str) -> None:
    # The rule is theirs: parts are parted by one slash each.
    if "\\" in name or name.startswith("/") or name.endswith("/") or "//" in name:
        raise conflict("Incorrect category name")


def _changed(call: Call, category: m.Category) -> m.Category:
    changes: dict[str, Any] = {}
    if call.has("savePath"):
        changes["save_path"] = call.text("savePath")
    enabled = call.flag("downloadPathEnabled")
    if enabled is False:
        changes["incomplete_path"] = ""
    elif enabled or call.text("downloadPath"):
        changes["incomplete_path"] = call.text("downloadPath") or None
    elif call.has("savePath"):
        changes["incomplete_path"] = None
    if call.has("ratioLimit"):
        changes["ratio_limit"] = names.ratio_limit(call.real("ratioLimit", -2))
    if call.has("seedingTimeLimit"):
        changes["seeding_limit"] = names.seconds(call.number("seedingTimeLimit", -2))
    if call.has("inactiveSeedingTimeLimit"):
        changes["idle_limit"] = names.seconds(call.number("inactiveSeedingTimeLimit", -2))
    if call.text("shareLimitAction") in names.ACTIONS:
        changes["limit_action"] = names.ACTIONS[call.text("shareLimitAction")]
    return structs.replace(category, **changes)


@endpoint("torrents/removeCategories", "Removes categories, one a line; their torrents have none then.", change=True)
async def remove_categories(call: Call) -> Answer:
    call.required("categories")
    there = {category.name for category in (await call.api.categories()).categories}
    # What is below a category goes with it.
    wanted = tuple(name for name in dict.fromkeys(call.text("categories").splitlines()) if name in there)
    if wanted:
        await call.api.remove_categories(m.Names(wanted))
    return text()


@endpoint("torrents/setCategory", "Puts torrents into a category, or into none.", change=True)
async def set_category(call: Call) -> Answer:
    _, name = call.required("hashes", "category")
    if name and not any(category.name == name for category in (await call.api.categories()).categories):
        raise conflict("Incorrect category name")
    await call.api.change_torrents(m.TorrentsPatch(m.TorrentPatch(category=name), **call.selection()))
    return text()


@endpoint("torrents/tags", "All tags.")
async def tags(call: Call) -> Answer:
    return data(sorted((await call.api.tags()).names))


@endpoint("torrents/createTags", "Makes tags, joined by commas.", change=True)
async def create_tags(call: Call) -> Answer:
    call.required("tags")
    if found := tuple(call.listed("tags", ",")):
        await call.api.add_tags(m.Names(found))
    return text()


@endpoint("torrents/deleteTags", "Removes tags, from torrents too.", change=True)
async def delete_tags(call: Call) -> Answer:
    call.required("tags")
    there = set((await call.api.tags()).names)
    if found := tuple(tag for tag in dict.fromkeys(call.listed("tags", ",")) if tag in there):
        await call.api.remove_tags(m.Names(found))
    return text()


@endpoint("torrents/addTags", "Gives torrents tags; new tags are made.", change=True)
async def add(call: Call) -> Answer:
    call.required("hashes", "tags")
    patch = m.TorrentPatch(add_tags=tuple(call.listed("tags", ",")))
    await call.api.change_torrents(m.TorrentsPatch(patch, **call.selection()))
    return text()


@endpoint("torrents/setTags", "Gives torrents these tags and no others.", change=True)
async def replace(call: Call) -> Answer:
    call.required("hashes", "tags")
    patch = m.TorrentPatch(tags=tuple(call.listed("tags", ",")))
    await call.api.change_torrents(m.TorrentsPatch(patch, **call.selection()))
    return text()


@endpoint("torrents/removeTags", "Takes tags from torrents; without `tags`, all of them.", change=True)
async def remove(call: Call) -> Answer:
    call.required("hashes")
    found = tuple(call.listed("tags", ","))
    patch = m.TorrentPatch(remove_tags=found) if found else m.TorrentPatch(tags=())
    await call.api.change_torrents(m.TorrentsPatch(patch, **call.selection()))
    return text()
