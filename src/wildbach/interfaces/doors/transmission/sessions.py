"""What is asked of the session as a whole."""

from __future__ import annotations

import asyncio
from typing import Any

from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.transmission import preferences, refusal
from wildbach.interfaces.doors.transmission.asked import Asked, Given
from wildbach.interfaces.doors.transmission.changing import absolute, need_category
from wildbach.interfaces.doors.transmission.refusal import Refusal


async def _view(asked: Asked) -> preferences.View:
    return preferences.View(
        (await asked.api.settings()).values, await asked.api.transfer(), asked.shared.latent, asked.shared.session_id,
        asked.dialect, asked.who.role == "guest")


async def session_get(asked: Asked) -> Given:
    return preferences.read(await _view(asked), asked.params.texts("fields"))


async def session_set(asked: Asked) -> Given:
    changes = preferences.write(await _view(asked), asked.params)
    if changes.made:
        await asked.api.change_settings(m.SettingsPatch(changes.made))
    if changes.slow_mode is not None:
        await asked.api.set_slow_mode(m.SlowMode(changes.slow_mode))
    return {}


async def session_stats(asked: Asked) -> Given:
    transfer, totals, facets = await asyncio.gather(
        asked.api.transfer(), asked.api.statistics(), asked.api.facets())
    active = int(asyncio.get_running_loop().time() - asked.shared.started)
    paused = facets.states.get("stopped", 0) + facets.states.get("error", 0)
    return {
        "active_torrent_count": max(facets.total - paused, 0),
        "download_speed": int(transfer.down_rate),
        "paused_torrent_count": paused,
        "torrent_count": facets.total,
        "upload_speed": int(transfer.up_rate),
        "cumulative_stats": {
            "downloaded_bytes": totals.downloaded, "files_added": 0, "seconds_active": totals.active_seconds,
            "session_count": totals.started, "uploaded_bytes": totals.uploaded,
        },
        "current_stats": {
            "downloaded_bytes": transfer.session_downloaded, "files_added": 0, "seconds_active": active,
            "session_count": 1, "uploaded_bytes": transfer.session_uploaded,
        },
    }


async def session_close(asked: Asked) -> Given:
    """The daemon is not one program's to end."""
    return {}


async def free_space(asked: Asked) -> Given:
    path = asked.params.text("path")
    if not path:
        raise Refusal(refusal.INVALID_PARAMS, "directory path argument is missing")
    absolute(path, "directory path")
    try:
        folder = await asked.api.folder(m.FolderQuery(path))
    except UsageError as error:
        text = "No such file or directory" if error.code == "not_found" else error.message
        raise Refusal(refusal.SYSTEM_ERROR, text, {"path": path, "size_bytes": -1, "total_size": -1}) from None
    return {
        "path": path, "size_bytes": -1 if folder.free_space is None else folder.free_space,
        "total_size": -1 if folder.total_space is None else folder.total_space,
    }


async def port_test(asked: Asked) -> Given:
    """Nobody outside is asked: it is told what peers and the router have shown."""
    protocol = asked.params.text("ip_protocol")
    if protocol not in (None, "ipv4", "ipv6"):
        raise Refusal(refusal.INVALID_PARAMS, "invalid ip protocol string")
    reachable = (await asked.api.transfer()).reachable
    if reachable == "unknown":
        raise Refusal(refusal.HTTP_ERROR, "no peer has called yet, so whether the port is open is not known")
    return {"port_is_open": reachable == "yes"}


async def blocklist_update(asked: Asked) -> Given:
    values = (await asked.api.settings()).values
    if not values["filter.sources"]:
        raise Refusal(refusal.SYSTEM_ERROR, "no blocklist is set: blocklist-url, or filter.sources")
    raise Refusal(
        refusal.SYSTEM_ERROR,
        f"blocklists are read when they change, and every {values['filter.refresh_hours']:g} hours, not on demand")


# -- groups are categories


async def group_get(asked: Asked) -> Given:
    chosen = asked.params.mixed("name")
    names = None if chosen is None else {str(one) for one in (chosen if isinstance(chosen, list) else [chosen])}
    found: list[dict[str, Any]] = [{
        "honors_session_limits": True, "name": one.name, "speed_limit_down": 0, "speed_limit_down_enabled": False,
        "speed_limit_up": 0, "speed_limit_up_enabled": False,
    } for one in (await asked.api.categories()).categories if names is None or one.name in names]
    return {"group": found}


async def group_set(asked: Asked) -> Given:
    name = asked.params.text("name")
    if not name or not name.strip():
        raise Refusal(refusal.INVALID_PARAMS, "No group name given")
    if asked.params.flag("speed_limit_down_enabled") or asked.params.flag("speed_limit_up_enabled"):
        raise Refusal(refusal.INVALID_PARAMS, "groups are categories, which have no speed limits")
    await need_category(asked, name)
    return {}
