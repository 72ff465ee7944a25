"""One link that is followed (BEP 46), how far it has led, and what is remembered of it between two runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from wildbach.base.errors import NetworkError, WildbachError
from wildbach.base.ids import InfoHashes
from wildbach.disk.resume import ResumeRecord, ResumeStore
from wildbach.engine import brief
from wildbach.engine.heads import HeadRecord
from wildbach.engine.options import AddOptions
from wildbach.engine.torrent import Torrent
from wildbach.protocol import bencode
from wildbach.protocol.dht.items import Item
from wildbach.protocol.heads import head_of
from wildbach.protocol.metainfo.magnet import MutableLink

AREA: Final = "mutable"
"Where the store keeps what is followed, by public key and salt."


@dataclass(frozen=True, slots=True)
class FollowView:
    """One link that is followed."""

    link: str
    seq: int
    "The number of the newest item that was taken; -1 before the first."
    torrent: str
    "The key of the torrent it leads to now; empty before the first."
    next_torrent: str
    "The key of the one that is to replace it, while its metadata is fetched."
    reason: str
    "Why nothing is known of the newest one, in plain words; empty where all is well."
    heard_at: int = 0
    """When somebody else last said that this is the newest, in seconds since 1970; 0 for never. Silence is no news: it
    does not mean that nothing has changed."""
    rotated_to: str = ""
    "The public key, in hex, that has taken the place of the link's; empty while that holds."
    recovery: str = ""
    "The recovery key that may do so, in hex, as it was first heard; empty for none."
    recovery_differs: str = ""
    "Another recovery key that was named since: the owner's, or a thief's. `pin` decides."


class Following:
    """A link that is followed, and how far it has led."""

    def __init__(self, link: MutableLink, options: AddOptions) -> None:
        self.link = link
        self.options = options
        self.record = HeadRecord(link.public_key, link.salt)
        "What is known of the key that counts now: the link's, or one that followed it."
        self.seq = -1
        self.place = ""
        "The key of the torrent it leads to."
        self.withheld = False
        "That torrent came after the last good head of a key that was stolen: it is not to be shown."
        self.pending: Torrent | None = None
        self.pending_seq = -1
        self.reason = ""
        self.recovery_differs = b""
        self.rotation_at = 0.0
        "When it is next asked whether the key has given way, by the loop's clock."
        self.found = asyncio.Event()
        "Set once there is a torrent."
        self.look = asyncio.Event()
        "Set to have it looked up now."
        self.inbox: list[Item] = []
        "Genuine items that peers gave us."
        self.heard = False
        "The last round brought the newest head, from somebody else."
        self.odd = False
        "What was published there last is no torrent."
        self.failure: NetworkError | None = None
        "Why nobody in the DHT replied in the last round."
        self.task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return f"{self.link.public_key.hex()}.{self.link.salt.hex()}"

    @property
    def torrent(self) -> str:
        """The key of the torrent it leads to now; empty before the first, and while that is withheld."""
        return "" if self.withheld else self.place

    @property
    def heard_at(self) -> int:
        """When somebody else last said that this is the newest, in seconds since 1970; 0 for never."""
        return self.record.heard_at

    @property
    def value(self) -> Mapping[bytes, bencode.Value]:
        """What the owner says besides the hashes, in the head that was taken."""
        newest = self.record.newest
        head = head_of(newest) if newest is not None and newest.seq == self.seq else None
        return head.extra if head is not None else {}

    @property
    def recovery(self) -> bytes:
        return self.record.recovery

    @property
    def rotated_to(self) -> bytes:
        """The public key that has taken the place of the link's; empty while that holds."""
        return self.record.key if self.record.key != self.link.public_key else b""

    def view(self) -> FollowView:
        coming = self.pending.key if self.pending is not None else ""
        return FollowView(
            self.link.to_uri(), self.seq, self.torrent, coming, self.reason, self.heard_at, self.rotated_to.hex(),
            self.recovery.hex(), self.recovery_differs.hex(),
        )


class Watched(Following):
    """A link of which only the head is followed: what it leads to is somebody else's care, and so is when to ask."""

    def __init__(self, link: MutableLink) -> None:
        super().__init__(link, AddOptions())
        self.hashes: InfoHashes | None = None
        "What it leads to: the newest head, or after a rotation the last good one; None before the first."
        self.former: InfoHashes | None = None
        "What it led to before."
        self.told: Callable[[], None] | None = None
        "Called where something newer came by itself: time to ask."
        self.asking = asyncio.Lock()

    @property
    def key(self) -> bytes:
        """The public key that counts now."""
        return self.record.key

    def lead(self, seq: int, hashes: InfoHashes) -> None:
        if hashes != self.hashes:
            self.former, self.hashes = self.hashes, hashes
        self.seq = self.pending_seq = seq
        self.reason = ""


def write(store: ResumeStore, one: Following) -> None:
    record = brief.new_record("", one.link.name, one.options)
    raw = {
        "link": one.link.to_uri(), "seq": one.seq, "torrent": one.place, "options": record.to_json(),
        "asked": brief.asked_of(one.options), "paused": one.options.paused, "existing": one.options.existing,
        "key": one.record.key.hex(), "withheld": one.withheld,
    }
    store.keep(AREA, {one.name: json.dumps(raw, sort_keys=True).encode()}, durable=True)


def read(name: str, raw: bytes) -> Following | None:
    """What `write` wrote, or None where it is damaged or of another version."""
    try:
        fields = json.loads(raw)
        record = ResumeRecord.from_json(fields["options"])
        record.options[brief.FIELD] = {"asked": fields["asked"], "paused": fields["paused"]}
        options = replace(brief.OptionsReader().read(record), existing=str(fields["existing"]))
        one = Following(MutableLink.parse(fields["link"]), options)
    except (ValueError, KeyError, TypeError, WildbachError):
        return None
    take_up(one, raw)
    return one if one.name == name else None


def take_up(one: Following, raw: bytes) -> None:
    """How far a link had led when it was written down. The number belongs to the key it was published under."""
    try:
        fields: Mapping[str, Any] = json.loads(raw)
        one.seq, one.place = int(fields["seq"]), str(fields["torrent"])
        one.withheld = bool(fields.get("withheld", False))
        key = bytes.fromhex(fields.get("key", one.link.public_key.hex()))
        one.record = HeadRecord(key, one.link.salt)
    except (ValueError, KeyError, TypeError):
        one.seq, one.place = -1, ""
