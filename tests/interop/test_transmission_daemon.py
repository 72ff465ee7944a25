"""What transmission-daemon says of a torrent and of its session, and what we say of it: the same keys and types."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
from tests.cli_torrents import CONTENT, torrent_of, write_content
from tests.clients import until
from tests.interop.peers.transmission import MISSING, Transmission
from tests.transmission_door import transmission

from wildbach.interfaces.doors.transmission.fields import CLASSIC
from wildbach.interfaces.doors.transmission.preferences import CLASSIC as PREFERENCES
from wildbach.interfaces.doors.transmission.preferences import PREFERENCES as ALL

pytestmark = [pytest.mark.skipif(MISSING is not None, reason=str(MISSING)), pytest.mark.foreign("transmission")]

NOT_IN_3 = {
    "availability", "file-count", "group", "percentComplete", "primary-mime-type", "trackerList", "sequential_download",
    "sequential_download_from_piece", "bytesCompleted", "webseedsEx",
}
"Fields that the daemon of Debian does not have yet: they came with 4.0 and 4.1."
NEW_IN_4 = {"sitename"}
"Keys of trackers that came with 4.0."
SESSION_NOT_IN_3 = {
    "anti-brute-force-enabled", "default-trackers", "rpc-version-semver", "script-torrent-added-enabled",
    "script-torrent-added-filename", "script-torrent-done-seeding-enabled", "script-torrent-done-seeding-filename",
    "tcp-enabled",
}
SESSION_NOT_OURS = {
    # the threshold is not documented; the others are told by `rpc-version-semver` of 4.0 and not by ours
    "anti-brute-force-threshold",
}


def shape(value: Any) -> Any:
    """The type of a JSON value, with the keys of objects; numbers are all alike."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def test_torrents_have_the_same_fields_of_the_same_types(tmp_path: Path) -> None:
    torrent = torrent_of(kind="v1", trackers=[["http://127.0.0.1:9/announce"], ["udp://127.0.0.1:9"]])
    file = tmp_path / "things.torrent"
    file.write_bytes(torrent.to_bytes())
    fields = [name for name in CLASSIC if name not in NOT_IN_3]
    with Transmission(tmp_path / "daemon") as daemon:
        write_content(tmp_path / "there" / "things", CONTENT)
        daemon.seed(file, tmp_path / "there")
        theirs = daemon.call("torrent-get", fields=fields)["torrents"][0]

    async def work() -> None:
        write_content(tmp_path / "downloads" / "things", CONTENT)
        async with transmission(tmp_path) as there:
            await there.ask.classic("torrent-add", filename=None, metainfo=_packed(file))
            key = torrent.info.hashes.key
            await until(lambda: there.api.core.catalog.fresh(key).state == "seeding", there.api)
            [ours] = (await there.ask.classic("torrent-get", fields=fields))["torrents"]
            for each in ours["trackers"] + ours["trackerStats"]:
                for name in NEW_IN_4:
                    each.pop(name)
            assert set(theirs) == set(fields)
            assert shape(ours) == shape(theirs)
            same = {
                "comment", "creator", "dateCreated", "error", "errorString", "hashString", "haveValid", "isPrivate",
                "isFinished", "leftUntilDone", "metadataPercentComplete", "name", "percentDone", "pieces", "pieceCount",
                "pieceSize", "priorities", "sizeWhenDone", "status", "totalSize", "wanted", "recheckProgress", "files",
                "fileStats", "bandwidthPriority", "etaIdle", "labels", "honorsSessionLimits", "seedRatioMode",
                "seedIdleMode", "manualAnnounceTime", "webseeds", "peersFrom", "peers", "downloadLimited",
                "seedIdleLimit", "downloadLimit",
            }
            assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
            assert [t["scrape"] for t in ours["trackers"]] == [t["scrape"] for t in theirs["trackers"]]
            assert [t["host"] for t in ours["trackerStats"]] == [t["host"] for t in theirs["trackerStats"]]

    asyncio.run(work())


def test_sessions_have_the_same_settings_of_the_same_types_and_refusals_the_same_words(tmp_path: Path) -> None:
    questions: list[dict[str, Any]] = [
        {"method": "nonsense", "tag": 5}, {"arguments": {}, "tag": 6},
        {"method": "torrent-get", "arguments": {}}, {"method": "torrent-add", "arguments": {}},
        {"method": "torrent-add", "arguments": {"filename": "magnet:?xt=urn:btih:" + "ab" * 20, "download-dir": "x"}},
        {"method": "torrent-get", "arguments": {"fields": ["id", "name"], "format": "table"}},
        {"method": "torrent-set-location", "arguments": {"location": "x"}},
        {"method": "torrent-start", "arguments": {"ids": [77]}},
        {"method": "free-space", "arguments": {"path": "x"}},
        {"method": "session-set", "arguments": {}},
    ]
    with Transmission(tmp_path / "daemon") as daemon:
        theirs = daemon.call("session-get")
        their_stats = daemon.call("session-stats")
        their_space = daemon.call("free-space", path=str(tmp_path))
        said = [daemon.ask(question) for question in questions]

    async def work() -> None:
        async with transmission(tmp_path) as there:
            ours = await there.ask.classic("session-get")
            assert set(ours) == {name for name, one in PREFERENCES.items() if not ALL[one.name].modern}
            assert set(ours) - set(theirs) == SESSION_NOT_IN_3
            assert set(theirs) - set(ours) <= SESSION_NOT_OURS
            both = set(ours) & set(theirs)
            assert shape({name: ours[name] for name in both}) == shape({name: theirs[name] for name in both})
            assert ours["units"].keys() == theirs["units"].keys()
            assert shape(await there.ask.classic("session-stats")) == shape(their_stats)
            space = await there.ask.classic("free-space", path=str(tmp_path))
            assert space.pop("total_size") > space["size-bytes"]  # of 4.0
            assert shape(space) == shape(their_space)
            for question, answer in zip(questions, said, strict=True):
                ours = await there.ask.ask(question)
                if answer["result"] != "success":  # then 3.0 says what it has so far, 4.0 nothing
                    answer["arguments"] = {}
                assert ours == answer, question

    asyncio.run(work())


def _packed(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
