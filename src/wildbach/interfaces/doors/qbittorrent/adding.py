"""torrents/add."""

from __future__ import annotations

from typing import Any

from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.qbittorrent import names
from wildbach.interfaces.doors.qbittorrent.call import Answer, Call, Refusal, bad, rate, text, whole
from wildbach.interfaces.doors.qbittorrent.endpoints import endpoint


@endpoint("torrents/add", "Adds torrents: files, links, URLs. They are in the list when this answers.", change=True)
async def add(call: Call) -> Answer:
    urls = tuple(line for part in call.text("urls").split("\n") if (line := part.strip()))
    files = tuple(upload.data for upload in call.files)
    if not urls and not files:
        raise bad("No torrents: neither `urls` nor a file")
    result = await call.api.add_torrents(m.AddRequest(urls, files, **_options(call)))
    # The order of results is that of the sources: links first or files first, told by what is not a link.
    broken = [added for added in result.added if added.error and added.code in ("bad_format", "over_limit")]
    good = [added for added in result.added if not added.error and not added.duplicate]
    if not good and broken and files:
        raise Refusal(415, f"Error: '{broken[0].source[:200]}' is not a valid torrent file: {broken[0].error}")
    return text("Ok." if good else "Fails.")


def _options(call: Call) -> dict[str, Any]:
    options: dict[str, Any] = {
        "save_path": call.text("savepath").strip(),
        "category": call.text("category").strip(),
        "tags": tuple(call.listed("tags", ",")),
        # Both are sent by programs that serve old and new ones.
        "stopped": call.flag("stopped", call.flag("paused")),
        "forced": bool(call.flag("forced")),
        "top": bool(call.flag("addToTopOfQueue")),
        "auto": call.flag("autoTMM", False if call.text("savepath").strip() else None),
        "name": " ".join(call.text("rename").split()),
        "layout": _layout(call),
        "sequential": bool(call.flag("sequentialDownload")),
        "ends_first": bool(call.flag("firstLastPiecePrio")),
        "skip_check": bool(call.flag("skip_checking", call.flag("seedMode"))),
        "metadata_only": call.text("stopCondition") == "MetadataReceived",
        "down_limit": rate(call.number("dlLimit", 0)),
        "up_limit": rate(call.number("upLimit", 0)),
        "ratio_limit": names.ratio_limit(call.real("ratioLimit", -2)),
        "seeding_limit": names.seconds(call.number("seedingTimeLimit", -2)),
        "idle_limit": names.seconds(call.number("inactiveSeedingTimeLimit", -2)),
        "limit_action": names.ACTIONS.get(call.text("shareLimitAction"), ""),
    }
    use, path = call.flag("useDownloadPath"), call.text("downloadPath").strip()
    if use is False:
        options["incomplete_path"] = ""
    elif path:
        options["incomplete_path"] = path
    priorities = {}
    for index, item in enumerate(call.listed("filePriorities", ",")):
        value = whole(item)
        if value not in names.PRIORITIES:
            raise bad("Priority is not valid")
        priorities[str(index)] = value
    options["priorities"] = priorities
    return options


def _layout(call: Call) -> m.Layout | None:
    """The name of today, or the one of years ago."""
    if (found := names.LAYOUTS.get(call.text("contentLayout"))) is not None:
        return found
    match call.flag("root_folder"):
        case True:
            return "original"
        case False:
            return "none"
        case None:
            return None
