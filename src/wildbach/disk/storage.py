"""The storage seam: where the bytes of one torrent live.

Offsets are in the linear address space of `base.geometry`; pad files read as zeros and swallow writes. All methods
but `try_read` may block and belong in a worker; all may be called from several threads at once. What goes wrong is a
StorageError with the system's number and a stable code: `disk_full`, `read_only`, `no_permission`, `too_many_files`,
`io_error`, `missing` (no such file), `changed` (somebody else writes to it), `short_file`, `unsafe_path`,
`target_exists`, `in_use`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar, runtime_checkable

from wildbach.base.geometry import Extent, Geometry

T = TypeVar("T")

CHANGED: Final = "changed"
"The code of a StorageError: somebody else changed a file, so what was known of it may be wrong."


class Runner(Protocol):
    """Runs blocking calls beside the loop; `runtime.workers.Threads` is one."""

    async def run(self, fn: Callable[..., T], *args: object) -> T:
        """The result of `fn(*args)`, or what it raised."""


class Target(NamedTuple):
    """A place another process may write to: `length` bytes at `offset` of `fd`.

    `file` names the open file in this process: it is never used again for another one, and stays while the file
    stays the same file, so a worker may keep the descriptor it was sent under that number until the number is
    announced as retired. `fd` is -1 where the bytes have no place (pad files): skip them.
    """

    file: int
    fd: int
    offset: int
    length: int


class Names(Protocol):
    """A path that was made safe: components below the content's folder."""

    @property
    def parts(self) -> tuple[str, ...]: ...


class ContentFile(Protocol):
    """What storage needs to know of a file."""

    @property
    def path(self) -> Names: ...
    @property
    def length(self) -> int: ...
    @property
    def pad(self) -> bool: ...
    @property
    def executable(self) -> bool: ...
    @property
    def symlink(self) -> Names | None: ...


class Content(Protocol):
    """What storage needs to know of a torrent; `protocol.metainfo.info.Info` is one."""

    @property
    def name(self) -> str: ...
    @property
    def geometry(self) -> Geometry: ...
    @property
    def files(self) -> Sequence[ContentFile]: ...
    @property
    def multi_file(self) -> bool: ...


class Storage(Protocol):
    """The bytes of one torrent."""

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        """Fill the buffers, one after the other, from `offset`. Code `missing` or `short_file` where bytes lack."""

    def try_read(self, offset: int, buffers: Sequence[memoryview]) -> bool:
        """`read_into` that never waits. False: nothing is promised about the buffers, read in a worker."""

    def write(self, offset: int, buffers: Sequence[memoryview]) -> None:
        """Write the buffers, one after the other, at `offset`."""

    def targets(self, offset: int, length: int) -> list[Target] | None:
        """Where another process shall write these bytes, in order; None where it cannot. Pinned until `release`."""

    def release(self, targets: Sequence[Target]) -> None:
        """The writes to `targets` are done (or given up); their descriptors may be closed."""

    def prepare(self) -> None:
        """Before the first write: make folders and empty files, reserve space where that is asked for."""

    def select(self, wanted: Iterable[int]) -> None:
        """The files that are wanted from now on. What others share with them is kept elsewhere."""

    def finish(self, files: Iterable[int]) -> None:
        """These files are complete and durable: final names and attributes."""

    def found(self, offset: int, length: int) -> None:
        """These bytes were there before this storage was made, perhaps unsynced: the next `sync` covers them too."""

    def sync(self) -> None:
        """Everything written before the call survives a power cut. After an error nothing since the last is sure."""

    def close(self) -> None:
        """Let go of all descriptors. Nothing is synced. Idempotent."""


PAD = -1
PARTS = -2


@runtime_checkable
class FileBacked(Protocol):
    """A storage whose bytes can be read from descriptors, also by another process."""

    def places(self, offset: int, length: int) -> list[Extent]:
        """Where bytes lie: extents of files, of `PAD` (zeros) or of `PARTS` (the part file)."""

    def lend(self, file: int) -> int:
        """A descriptor for reading a file, which the caller closes. Code `missing` where there is none."""
