"""What is remembered of a torrent beside what the engine needs of it."""

from __future__ import annotations

from typing import Final

import msgspec

from wildbach.base.errors import FormatError

GLOBAL: Final = -2
"A limit as the category, or else the settings, say."
NONE: Final = -1
"No limit."


class Entry(msgspec.Struct, omit_defaults=True, gc=False):
    """Of one torrent. The garbage collector does not look at entries: there are many, and no cycle begins at one.
    Seconds since 1970, bytes, seconds. What is not said costs no space in the database."""

    added_at: int = 0
    completed_at: int = 0
    active_at: int = 0
    "When content last came or went."
    uploaded: int = 0
    "In all runs, as far as was counted."
    downloaded: int = 0
    wasted: int = 0
    complete: bool = False
    "All that was wanted was there when last looked at."
    done: int = 0
    "Verified bytes of what is wanted, when last looked at."
    active_seconds: int = 0
    seeding_seconds: int = 0
    name: str = ""
    "Another name than the torrent's."
    category: str = ""
    tags: tuple[str, ...] = ()
    place: int = 0
    "Order in the queue: the lower first."
    stopped: bool = False
    "Somebody wants it to be stopped."
    forced: bool = False
    lent: tuple[bool, bool, bool] | None = None
    """It runs because somebody plays it: whether it was `stopped`, `forced` and `reached` before. None where it does
    not, or somebody said anew how it shall run."""
    auto: bool = False
    ratio_limit: float = GLOBAL
    seeding_limit: int = GLOBAL
    idle_limit: int = GLOBAL
    limit_action: str = ""
    reached: bool = False
    "It met a limit, and was stopped for that."
    removed_at: int = 0
    "It is in the trash since."
    remove_files: bool = False
    comment: str | None = None
    "Another comment than the torrent's."
    source: str = ""
    "Where it came from: a feed, a watched folder, another client."
    channel: str = ""
    "The label of the key of the channel whose item it is."

    @property
    def trashed(self) -> bool:
        return self.removed_at > 0


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Entry)


def encode(entry: Entry) -> bytes:
    return _encoder.encode(entry)


def decode(raw: bytes) -> Entry:
    """Raises FormatError. Fields that another version wrote are passed over."""
    try:
        return _decoder.decode(raw)
    except msgspec.MsgspecError as error:
        raise FormatError(str(error)) from error
