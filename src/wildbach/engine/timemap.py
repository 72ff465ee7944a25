"""When the bytes of a media file are played, as its index says."""

from __future__ import annotations

from typing import Protocol


class TimeMap(Protocol):
    """Between bytes of a file and seconds of what it plays; both grow together."""

    @property
    def duration(self) -> float:
        """Seconds."""
        ...

    def seconds(self, offset: int) -> float:
        """When the byte is played."""
        ...

    def offset(self, seconds: float) -> int:
        """Where what is played then begins in the file."""
        ...
