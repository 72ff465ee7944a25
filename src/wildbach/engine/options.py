"""How a torrent is added."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wildbach.base.errors import UsageError
from wildbach.base.ids import Endpoint
from wildbach.protocol.metainfo.info import File

_OWNER: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
Select = Callable[[int, File], bool]
"Chooses files: index and file in, wanted out."


@dataclass(frozen=True, slots=True)
class AddOptions:
    save_path: Path = Path()
    "The folder that gets the torrent's file or folder."
    paused: bool = False
    select: Select | None = None
    "Which files are wanted; None for all."
    peers: tuple[Endpoint, ...] = ()
    "Peers to call at once."
    trackers: tuple[str, ...] = ()
    """Trackers besides the torrent's own. These may have any path on a machine near us, where those of a torrent must
    have /announce."""
    web_seeds: tuple[str, ...] = ()
    "Web servers that have the content, besides the torrent's own (BEP 19)."
    http_seeds: tuple[str, ...] = ()
    "Scripts that give parts of pieces, besides the torrent's own (BEP 17)."
    sequential: bool = False
    ends_first: bool = False
    "The first and the last piece of each wanted file before all others."
    seed_only: bool = False
    "Nothing is fetched: the data must be there and verify."
    skip_check: bool = False
    "Take the data of what is wanted as complete and good. Every piece is checked before it is first sent."
    existing: str = "stop"
    "Files of the same names that hold other data: `stop`, `overwrite`, or `rename` the new ones."
    layout: str = "original"
    "`original`, `subfolder` (always a folder), or `none` (never one)."
    renames: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    "Other paths of files, below `save_path`, by file number: the components."
    suffix: str = ""
    "Appended to the names of files until they are complete, as `disk.layout.INCOMPLETE_SUFFIX`."
    incomplete_path: Path | None = None
    "The folder that has the files until everything wanted is complete; then they move to `save_path`."
    similar: tuple[bytes, ...] = ()
    "Info hashes (20 bytes) of torrents that may have files of this one: what they have here is not fetched again."
    exclude: tuple[str, ...] = ()
    "Shell patterns of files that are not wanted: names, or paths below the torrent's folder; case does not matter."
    cache: str = ""
    """Whose cache it belongs to, such as `stream`, `site` or `channel`: it is removed with its files when room is
    needed (`engine.content`), the longest unused first. Without a `save_path` it gets a folder of its own in the cache.
    Empty: it is the user's own, and stays.
    """
    in_place: bool = False
    """Its files are somebody else's, and stay where they are: they are verified and seeded, and never written, renamed,
    moved or deleted. The torrent stops where they are not, or no longer, what it says.
    """
    metadata_only: bool = False
    "Stop once the metadata is known; `resume` goes on."
    check_only: bool = False
    "Stop once it is known what is on the disk; `resume` goes on."
    super_seed: bool = False
    down_limit: int = 0
    up_limit: int = 0
    "Bytes a second, 0 for none."

    @property
    def fetches(self) -> bool:
        """What is missing is fetched."""
        return not (self.seed_only or self.in_place)

    def __post_init__(self) -> None:
        if self.cache and (self.in_place or not _OWNER.fullmatch(self.cache)):
            raise UsageError(f"{self.cache[:100]!r} cannot have it in its cache")
        if self.in_place and (self.suffix or self.incomplete_path is not None or self.renames):
            raise UsageError("files that are seeded in place have the names and the folder they have")
        if "/" in self.suffix or "\\" in self.suffix or "\0" in self.suffix:
            raise UsageError(f"a suffix of file names cannot be {self.suffix!r}")
        for parts in self.renames.values():
            if not parts or any(part in ("", ".", "..") or "/" in part or "\0" in part for part in parts):
                raise UsageError(f"a file cannot be renamed to {'/'.join(parts)!r}")
        for url in (*self.web_seeds, *self.http_seeds):
            if not url.startswith(("http://", "https://")):
                raise UsageError(f"{url[:100]!r} is no web seed: an http or https URL is needed")
