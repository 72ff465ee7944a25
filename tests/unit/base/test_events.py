import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest

from wildbach.base.errors import StorageError
from wildbach.base.events import Event, TorrentEvent, to_json
from wildbach.base.ids import Endpoint, InfoHashes


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class TorrentStopped(TorrentEvent):
    reason: Exception
    peer: Endpoint
    hashes: InfoHashes
    path: Path
    colour: Colour


def test_the_name_derives_from_the_class():
    assert TorrentStopped.name == "torrent_stopped"
    assert TorrentEvent.name == "torrent_event"
    assert type("DHTReady", (Event,), {"__slots__": ()}).name == "dht_ready"


def test_every_field_has_a_json_form():
    event = TorrentStopped(
        "ab12", StorageError("disk full"), Endpoint("::1", 6881), InfoHashes(v1=bytes(20)), Path("/x"), Colour.RED)
    assert json.loads(json.dumps(event.to_dict())) == {
        "event": "torrent_stopped", "torrent": "ab12",
        "reason": {"code": "storage_error", "message": "disk full"}, "peer": "[::1]:6881",
        "hashes": {"v1": "00" * 20, "v2": None}, "path": "/x", "colour": "red",
    }


def test_what_has_no_form_is_an_error():
    with pytest.raises(TypeError):
        to_json(object())
