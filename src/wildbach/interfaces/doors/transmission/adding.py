"""torrent-add."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from dataclasses import replace
from typing import Any, Final

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.transmission import priorities, refusal
from wildbach.interfaces.doors.transmission.asked import Asked, Given
from wildbach.interfaces.doors.transmission.changing import absolute, chosen_files, labels_of
from wildbach.interfaces.doors.transmission.fields import name_of
from wildbach.interfaces.doors.transmission.numbers import shown_hash
from wildbach.interfaces.doors.transmission.parameters import Params
from wildbach.interfaces.doors.transmission.priorities import Wish
from wildbach.interfaces.doors.transmission.refusal import Refusal
from wildbach.protocol.metainfo import Metainfo

_SOURCE: Final = re.compile(
    r"\s*(?:magnet:.*|https?://.*|[0-9a-f]{40}|[0-9a-f]{64}|[a-z2-7]{32})\s*", re.IGNORECASE | re.DOTALL)
_CHOICES: Final = ("files_wanted", "files_unwanted", *priorities.NAMES)


async def torrent_add(asked: Asked) -> Given:
    params = asked.params
    packed, source = params.text("metainfo"), params.text("filename")
    data: bytes | None = None
    if packed:
        data = await asyncio.to_thread(_unpacked, packed)
    elif not source:
        raise Refusal(refusal.INVALID_PARAMS, "no filename or metainfo specified")
    elif not _SOURCE.fullmatch(source):
        raise Refusal(
            refusal.UNRECOGNIZED_INFO,
            "a file of this machine cannot be named: send its content as metainfo, or a URL or a magnet link")
    folder = params.text("download_dir")
    labels = labels_of(params)
    result = await asked.api.add_torrents(m.AddRequest(
        urls=(source,) if data is None and source else (), files=() if data is None else (data,),
        save_path=absolute(folder, "download directory path") if folder else "", tags=labels or (),
        stopped=params.flag("paused"), sequential=params.flag("sequential_download") or False,
        priorities=await _priorities(params, data),
    ))
    [added] = result.added
    if added.error and not added.duplicate:
        code = {
            "network_error": refusal.HTTP_ERROR, "bad_format": refusal.UNRECOGNIZED_INFO,
            "over_limit": refusal.UNRECOGNIZED_INFO,
        }.get(added.code, refusal.SYSTEM_ERROR)
        raise Refusal(code, added.error)
    await asked.numbers.refresh()
    row = (await asked.api.torrent(added.key)).row
    told: dict[str, Any] = {
        "hash_string": shown_hash(row), "id": asked.numbers.number(added.key), "name": name_of(row)}
    return {"torrent_duplicate" if added.duplicate else "torrent_added": told}


def _unpacked(text: str) -> bytes:
    """Base64, also with line breaks."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(refusal.UNRECOGNIZED_INFO, "metainfo is no base64") from None


async def _priorities(params: Params, data: bytes | None) -> dict[str, int]:
    """By our numbers of files, which count pad files too; of a magnet link the files are not known yet."""
    chosen = {name: places for name in _CHOICES if (places := params.wholes(name))}
    if not chosen:
        return {}
    if data is not None:
        try:
            info = (await asyncio.to_thread(Metainfo.parse, data)).info
        except FormatError as error:
            raise Refusal(refusal.UNRECOGNIZED_INFO, error.message) from None
        numbers = [number for number, file in enumerate(info.files) if not file.pad]
    else:
        most = max(place for places in chosen.values() for place in places)
        if not 0 <= most < limits.FILES:
            raise Refusal(refusal.FILE_INDEX)
        numbers = list(range(most + 1))
    wishes = chosen_files(chosen, [Wish()] * len(numbers))
    if data is None:
        # What is low is so beside the others, and these are not known.
        wishes = [replace(wish, priority=max(wish.priority, priorities.NORMAL)) for wish in wishes]
    made = priorities.priorities_of(wishes)
    return {str(number): priority for number, priority in zip(numbers, made, strict=True) if priority != 1}
