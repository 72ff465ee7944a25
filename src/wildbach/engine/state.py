"""What a torrent is doing, as people are told."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    METADATA = "metadata"
    CHECKING = "checking"
    DOWNLOADING = "downloading"
    SEEDING = "seeding"
    PAUSED = "paused"
    STOPPED = "stopped"
    "Something must change first; the reason says what."
