"""How far the counters of a wallet are, in a file outside the data directory.

A data directory that was restored from a backup or copied is older than this file, and so is noticed before it signs
anything a second time. The file has two places that are written in turn, each with a check: a write that was cut off
leaves the one before.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wildbach.disk import system
from wildbach.protocol.tron.address import Address

_FORM: Final = struct.Struct(">8s20sQQQQQ")
_MARK: Final = b"wbmirr01"
_SUM: Final = 16
_PLACE: Final = 512
"Bytes between the two places: a sector is written whole, or not."


@dataclass(frozen=True, slots=True, order=True)
class Mirrored:
    """`turn`: how often the counters have changed. `total`: SUN that were ever signed. `day`: days since 1970. `nonce`:
    random, another one with each turn. `epoch`: the highest of a lane that was signed, in ms.
    """

    turn: int
    total: int
    day: int = field(compare=False)
    nonce: int
    epoch: int = field(default=0, compare=False)


BYTES: Final = 2 * _PLACE
"Of the file, at most."
_NOTHING: Final = Mirrored(-1, -1, -1, -1)


class Mirror:
    """One for each paying address on each chain. `name`: of the file. Blocks; raises StorageError."""

    def __init__(self, folder: Path, payer: Address, name: str) -> None:
        self.path = folder / f"{name}.mirror"
        self._name = str(self.path)
        self._payer = payer

    def read(self) -> Mirrored | None:
        """The newest place that is whole; None where there is none."""
        with self._translated("read"):
            try:
                with open(self.path, "rb") as file:
                    return read(file.read(BYTES), self._payer)
            except FileNotFoundError:
                return None

    def write(self, at: Mirrored) -> Mirrored:
        """What the file has then, and durably so: something else where there was a turn that is as new or newer."""
        with self._translated("write"):
            descriptor, new = self._open()
            try:
                system.lock(descriptor, wait=True)
                places = _places(os.pread(descriptor, BYTES, 0), self._payer)
                newest = max((one for one in places if one is not None), default=_NOTHING)
                if newest.turn < at.turn:
                    older = min((0, 1), key=lambda number: places[number] or _NOTHING)
                    system.write_fully(descriptor, [memoryview(written(at, self._payer))], older * _PLACE)
                    system.fdatasync(descriptor)
                    newest = at
            finally:
                os.close(descriptor)
            if new:
                system.sync_path(str(self.path.parent))
            return newest

    def _open(self) -> tuple[int, bool]:
        """The file, and whether it may be a new one."""
        with contextlib.suppress(FileNotFoundError):
            return os.open(self._name, os.O_RDWR | system.CLOEXEC), False
        for grown in system.make_root(str(self.path.parent)):
            system.sync_path(grown)
        return os.open(self._name, os.O_RDWR | os.O_CREAT | system.CLOEXEC, 0o600), True

    @contextlib.contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise system.storage_error(error, f"{doing} the counters of the wallet in", str(self.path)) from error


def written(at: Mirrored, payer: Address) -> bytes:
    """One place."""
    raw = _FORM.pack(_MARK, payer.raw, at.turn, at.total, at.day, at.nonce, at.epoch)
    return raw + _sum(raw)


def read(raw: bytes, payer: Address) -> Mirrored | None:
    """The newest of the places in a file that is whole and of `payer`."""
    return max((one for one in _places(raw, payer) if one is not None), default=None)


def _places(raw: bytes, payer: Address) -> list[Mirrored | None]:
    return [_place(raw[at : at + _FORM.size + _SUM], payer) for at in (0, _PLACE)]


def _place(raw: bytes, payer: Address) -> Mirrored | None:
    body = raw[: _FORM.size]
    if len(raw) != _FORM.size + _SUM or raw[_FORM.size :] != _sum(body):
        return None
    mark, whose, *numbers = _FORM.unpack(body)
    if mark != _MARK or whose != payer.raw or max(numbers) >= 1 << 60:
        return None
    return Mirrored(*numbers)


def _sum(raw: bytes) -> bytes:
    return hashlib.blake2b(raw, digest_size=_SUM).digest()
