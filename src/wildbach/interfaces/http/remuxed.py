"""The addresses of the media host below `/TOKEN/INDEX/` for what is made of a file: HLS, subtitles, small pictures.

| address | what |
| --- | --- |
| `hls/probe.json` | tracks, chapters, length; what a browser is asked about; what can be had |
| `hls/master.m3u8?audio=N&height=N` | the playlist; with a height (`transcode=1`: usual) pictures are made anew |
| `hls/VARIANT/media.m3u8`, `init.mp4`, `N.m4s` | what it names |
| `sub/N.vtt?start=S&end=S&offset=S` | a subtitle track as WebVTT, of a part of the film where `end` is given |
| `sub/file.vtt?offset=S` | the file itself, which is one of subtitles |
| `thumb/SECONDS.jpg` | a picture of that moment |

The media host has checked who asks for which file, and adds the headers that all its answers have. An answer may wait
for bytes of the file as long as the client does.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from wildbach.base.errors import FormatError, LimitError, NetworkError, StorageError, UsageError
from wildbach.net.httpd import Request, Response
from wildbach.services.stream import hls, subtitles
from wildbach.services.stream.mediaprocess import MediaError, ReadsFile
from wildbach.services.stream.probe import Probe
from wildbach.services.stream.remux import Remuxer, file_subtitles

_PATH: Final = re.compile(
    r"hls/(?P<top>probe\.json|master\.m3u8)"
    r"|hls/(?P<variant>[avh0-9]{2,20})/(?:(?P<kind>media\.m3u8|init\.mp4)|(?P<number>[0-9]{1,6})\.m4s)"
    r"|sub/(?:(?P<track>[0-9]{1,4})|file)\.vtt"
    r"|thumb/(?P<seconds>[0-9]{1,6}(?:\.[0-9]{1,3})?)\.jpg")
_STATUS: Final = {
    "media_unavailable": 501, "media_busy": 503, "media_slow": 504, "media_crashed": 502, "media_limit": 422,
    "media_format": 415, "not_text": 415, "needs_transcode": 409, "no_length": 409, "no_track": 404, "no_segment": 404,
}
_MADE: Final = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
_TOLD: Final = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
_OFFSET: Final = 86_400.0


def takes(rest: str) -> bool:
    """`rest` of a path, behind `/TOKEN/INDEX/`, is one of these addresses."""
    return rest.startswith(("hls/", "sub/", "thumb/"))


class Remuxed:
    def __init__(self, remuxer: Remuxer) -> None:
        self._remuxer = remuxer

    async def __call__(self, request: Request, file: ReadsFile, name: str, rest: str) -> Response:
        """`name` is the file's own; only its ending counts. Ends with the client."""
        if request.method not in ("GET", "HEAD"):
            return Response(b"only GET and HEAD\n", 405, headers={"Allow": "GET, HEAD"})
        path = _PATH.fullmatch(rest)
        if path is None:
            return _problem(404, "not_found", "there is no such address")
        request.with_client()
        try:
            return await self._answer(path, dict(parse_qsl(request.query, max_num_fields=10)), file, name)
        except (UsageError, MediaError) as error:
            return _problem(_STATUS.get(error.code, 400), error.code, error.message)
        except LimitError as error:
            return _problem(422, error.code, error.message)
        except FormatError as error:
            return _problem(415, error.code, error.message)
        except (StorageError, NetworkError) as error:
            return _problem(503, error.code, error.message)
        except ValueError:
            return _problem(400, "bad_query", "the query is wrong")

    async def _answer(self, path: re.Match[str], query: dict[str, str], file: ReadsFile, name: str) -> Response:
        if path["top"] == "probe.json":
            return Response(await self._told(file), content_type="application/json", headers=_TOLD)
        if path["top"]:
            probe = await self._remuxer.probe(file)
            return _playlist(hls.master(probe, hls.choose(probe, audio=_whole(query, "audio"), height=_height(query))))
        if path["variant"]:
            return await self._part(path, file)
        if path["seconds"]:
            picture = await self._remuxer.still(file, float(path["seconds"]))
            return Response(picture, content_type="image/jpeg", headers=_MADE)
        offset = _number(query, "offset", 0.0)
        if abs(offset) > _OFFSET:
            raise UsageError("an offset is at most a day", code="bad_offset")
        if path["track"]:
            end = _number(query, "end", 0.0)
            text = await self._remuxer.track_subtitles(
                file, int(path["track"]), start=max(0.0, _number(query, "start", 0.0)), end=end if end > 0 else None,
                offset=offset)
        elif name.lower().endswith(subtitles.SUFFIXES):
            text = await file_subtitles(file, offset=offset)
        else:
            raise UsageError("this is no file of subtitles", code="not_text")
        return Response(text.encode(), content_type="text/vtt", headers=_TOLD)

    async def _part(self, path: re.Match[str], file: ReadsFile) -> Response:
        probe = await self._remuxer.probe(file)
        choice = hls.parse(probe, path["variant"])
        if path["kind"] == "media.m3u8":
            return _playlist(hls.media(probe))
        if path["kind"]:
            return Response(await self._remuxer.init(file, choice), content_type="video/mp4", headers=_MADE)
        made = await self._remuxer.segment(file, choice, int(path["number"]))
        return Response(made, content_type="video/mp4", headers=_MADE)

    async def _told(self, file: ReadsFile) -> bytes:
        probe = await self._remuxer.probe(file)
        return msgspec.json.encode({
            "container": probe.container, "duration": probe.duration, "bitrate": probe.bitrate, "mime": probe.mime,
            "tracks": probe.tracks, "chapters": probe.chapters, "hls": _had(probe, 0),
            "transcode": _had(probe, hls.USUAL_HEIGHT), "heights": hls.HEIGHTS if probe.of("video") else (),
        })


def _had(probe: Probe, height: int) -> dict[str, str]:
    """What a browser is asked about segments, or why there are none."""
    try:
        choice = hls.choose(probe, height=height if probe.of("video") else 0)
    except UsageError as error:
        return {"codecs": "", "code": error.code}
    main = "video" if choice.video >= 0 else "audio"
    names = hls.codec_names(probe, choice)
    return {"codecs": f'{main}/mp4; codecs="{names}"' if names else f"{main}/mp4", "code": ""}


def _playlist(text: str) -> Response:
    return Response(text.encode(), content_type=hls.TYPE, headers=_TOLD)


def _height(query: dict[str, str]) -> int:
    height = _whole(query, "height")
    if height is not None:
        return height
    return hls.USUAL_HEIGHT if query.get("transcode") == "1" else 0


def _whole(query: dict[str, str], name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise UsageError(f"{name} is a number", code="bad_query")
    return int(text)


def _number(query: dict[str, str], name: str, default: float) -> float:
    text = query.get(name, "")
    if not text:
        return default
    value = float(text) if len(text) <= 30 else math.nan
    if not math.isfinite(value):
        raise UsageError(f"{name} is a number of seconds", code="bad_query")
    return value


def _problem(status: int, code: str, message: str) -> Response:
    body: dict[str, Any] = {"code": code, "message": message}
    headers = {**_TOLD, "Retry-After": "2"} if status == 503 else _TOLD
    return Response(msgspec.json.encode(body), status, "application/json", headers)

