"""Secret keys in the data directory, readable by their owner only.

`keys/NAME.key` is a key, 64 hex digits: made when it is first asked for and never changed. Who has the file can publish
in its name, and without it nobody can. `NAME.recovery` is its recovery key, which alone can put another key in its
place (`protocol.heads`): it is meant to be written down and then erased from here, so that no thief of this machine has
it. `NAME.json` says what is to be known without either.

While a key gives way to another, that one waits in `.next.NAME.key`. `NAME.json` says when it is to take the place,
before the first file is renamed; whoever comes after a crash goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import stat
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from wildbach.base.errors import StorageError, UsageError
from wildbach.disk import system
from wildbach.protocol.dht.items import public_key
from wildbach.protocol.keyfile import NAME, KeyCopy

_KEY: Final = re.compile(rb"[0-9a-f]{64}\n?")
_HEX: Final = re.compile(r"(?:[0-9a-f]{64})?")
_ABOUT_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A key, without its secrets."""

    name: str
    public: str
    "In hex."
    recovery: str
    "The public half of its recovery key, in hex; empty for a key that has none."
    recovery_here: bool
    "The secret half is on this machine still: write it down and have it erased."
    exported_at: int
    "When a copy was last made, in seconds since 1970; 0 for never."
    next_key: str
    "The key that has taken its place, in hex; empty while it holds."


@dataclass(frozen=True, slots=True)
class _About:
    recovery: str = ""
    exported_at: int = 0
    next_key: str = ""


class Keys:
    """The keys of one data directory. Blocks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "keys"

    def get(self, name: str, *, make: bool = True) -> bytes:
        """The 32 bytes of a key; a new one, with a recovery key, where there is none and `make`.

        Raises UsageError for a name that cannot be a file's, or that is unknown; StorageError where the key cannot be
        read or written, where others may read it, or where the file is no key.
        """
        _check(name)
        with _translated(self.folder):
            self._finish(name)
            found = self._read(f"{name}.key")
            if found is not None:
                return found
            if not make:
                raise UsageError(f"there is no key {name}", code="no_key", path=str(self.folder / f"{name}.key"))
            self._open()
            self._make_recovery(name)
            self._write_new(f"{name}.key", secrets.token_bytes(32))
            return self._must(f"{name}.key")

    def names(self) -> list[str]:
        """The keys there are."""
        with _translated(self.folder):
            return sorted(path.stem for path in self.folder.glob("*.key") if NAME.fullmatch(path.stem))

    def facts(self, name: str) -> KeyFacts:
        """Raises UsageError for an unknown name, and as `get`."""
        public = public_key(self.get(name, make=False)).hex()
        with _translated(self.folder):
            about = self._about(name)
            here = self._read(f"{name}.recovery") is not None
        return KeyFacts(name, public, about.recovery, here, about.exported_at, about.next_key)

    def all_facts(self) -> list[KeyFacts]:
        return [self.facts(name) for name in self.names()]

    def create(self, name: str) -> KeyFacts:
        """A new key. Raises UsageError, code `key_exists`, where there is one of this name."""
        _check(name)
        if name in self.names():
            raise UsageError(f"there is a key {name} already", code="key_exists")
        self.get(name)
        return self.facts(name)

    # -- copies

    def copy(self, name: str) -> KeyCopy:
        """A key as it goes to another machine."""
        secret = self.get(name, make=False)
        return KeyCopy(name, secret, bytes.fromhex(self.facts(name).recovery))

    def exported(self, name: str, at: int) -> None:
        """A copy was made at this time, in seconds since 1970."""
        with _translated(self.folder):
            self._change(name, exported_at=at)

    def add(self, copy: KeyCopy, name: str = "") -> KeyFacts:
        """Take a key on from another machine, under another `name` where one is given. The same again changes nothing.
        Raises UsageError, code `key_exists`, where another key has the name.
        """
        name = name or copy.name
        _check(name)
        with _translated(self.folder):
            self._open()
            self._finish(name)
            there = self._read(f"{name}.key")
            if there is None:
                # Before the key: one whose followers know a recovery key must not be without it here.
                self._change(name, recovery=copy.recovery.hex())
                self._write_new(f"{name}.key", copy.secret)
                there = self._must(f"{name}.key")
        if there != copy.secret:
            raise UsageError(f"another key has the name {name} here: choose one with --name", code="key_exists")
        return self.facts(name)

    # -- recovery keys

    def recovery(self, name: str) -> bytes | None:
        """The secret half of the recovery key, while it is here."""
        self.get(name, make=False)
        with _translated(self.folder):
            return self._read(f"{name}.recovery")

    def add_recovery(self, name: str) -> bytes:
        """A recovery key for a key that has none. Raises UsageError where it has one: followers hold to the first."""
        if self.facts(name).recovery:
            raise UsageError(f"the key {name} has a recovery key, and followers hold to the first", code="has_recovery")
        with _translated(self.folder):
            self._make_recovery(name)
            return self._must(f"{name}.recovery")

    def erase_recovery(self, name: str) -> None:
        """The recovery key was written down: only its public half stays here."""
        self.get(name, make=False)
        with _translated(self.folder):
            path = self.folder / f"{name}.recovery"
            with contextlib.suppress(FileNotFoundError):
                with path.open("r+b") as file:
                    # File systems that write in place have nothing left to find; for others this is all that can be.
                    file.write(b"0" * 64)
                    file.flush()
                    os.fsync(file.fileno())
                path.unlink()
                system.sync_path(str(self.folder))

    # -- giving way to another

    def prepare_next(self, name: str) -> tuple[bytes, bytes]:
        """The key that is to follow, and its recovery key: the same ones each time until `take_next`."""
        self.get(name, make=False)
        with _translated(self.folder):
            for kind in ("recovery", "key"):
                self._write_new(f".next.{name}.{kind}", secrets.token_bytes(32))
            return self._must(f".next.{name}.key"), self._must(f".next.{name}.recovery")

    def take_next(self, name: str) -> KeyFacts:
        """The next key has the name from now on; the one before is kept as NAME.former-1 and so on."""
        following = public_key(self.prepare_next(name)[0]).hex()
        with _translated(self.folder):
            self._change(name, next_key=following)
            self._finish(name)
        return self.facts(name)

    def _finish(self, name: str) -> None:
        """Go on with what a change of keys has left, if one is under way."""
        if not (self.folder / f".next.{name}.key").exists():
            return
        if self._about(name).next_key:
            former = next(
                each for number in range(1, 10_000)
                if not (self.folder / f"{(each := f'{name[:48]}.former-{number}')}.json").exists()
            )
            for kind in ("recovery", "key", "json"):  # the note goes last: until then this is done again
                self._rename(f"{name}.{kind}", f"{former}.{kind}")
        if not (self.folder / f"{name}.key").exists():
            waiting = self._read(f".next.{name}.recovery")
            if waiting is not None:
                self._change(name, recovery=public_key(waiting).hex())
                self._rename(f".next.{name}.recovery", f"{name}.recovery")
            self._rename(f".next.{name}.key", f"{name}.key")

    def _rename(self, before: str, after: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.folder / before, self.folder / after)
            system.sync_path(str(self.folder))

    # -- files

    def _open(self) -> None:
        for grown in system.make_root(str(self.folder)):
            system.sync_path(grown)
        os.chmod(self.folder, 0o700)

    def _make_recovery(self, name: str) -> None:
        self._write_new(f"{name}.recovery", secrets.token_bytes(32))
        self._change(name, recovery=public_key(self._must(f"{name}.recovery")).hex())

    def _about(self, name: str) -> _About:
        """What is damaged says nothing: the key itself is what must not be lost."""
        try:
            with (self.folder / f"{name}.json").open("rb") as file:
                raw = json.loads(file.read(_ABOUT_BYTES))
            about = _About(str(raw["recovery"]), int(raw["exported_at"]), str(raw["next_key"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return _About()
        return about if _HEX.fullmatch(about.recovery) and _HEX.fullmatch(about.next_key) else _About()

    def _change(self, name: str, **values: object) -> None:
        about = replace(self._about(name), **values)  # type: ignore[arg-type]  # the fields of `_About`
        beside = self._beside(f"{name}.json", json.dumps(asdict(about), sort_keys=True).encode() + b"\n")
        os.replace(beside, self.folder / f"{name}.json")
        system.sync_path(str(self.folder))

    def _must(self, file: str) -> bytes:
        found = self._read(file)
        if found is None:
            raise StorageError(f"{self.folder / file} has gone", path=str(self.folder / file), code="key_damaged")
        return found

    def _read(self, file: str) -> bytes | None:
        path = self.folder / file
        try:
            with path.open("rb") as opened:
                if os.name == "posix" and stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & 0o077:
                    raise StorageError(
                        f"{path} can be read by others, so its key may not be secret any more: chmod 600 it, or make "
                        "another key", path=str(path), code="key_not_secret",
                    )
                raw = opened.read(100)
        except FileNotFoundError:
            return None
        if not _KEY.fullmatch(raw):
            raise StorageError(f"{path} holds no key", path=str(path), code="key_damaged")
        return bytes.fromhex(raw.decode())

    def _write_new(self, file: str, key: bytes) -> None:
        """Written beside its place, synced, and only then given its name: half a key is never seen, and one that is
        there, of another process too, is never replaced.
        """
        beside = self._beside(file, key.hex().encode() + b"\n")
        try:
            with contextlib.suppress(FileExistsError):
                os.link(beside, self.folder / file)
        finally:
            os.unlink(beside)
        system.sync_path(str(self.folder))

    def _beside(self, file: str, raw: bytes) -> Path:
        beside = self.folder / f".{file}.{secrets.token_hex(4)}"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | system.CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(raw)
            opened.flush()
            os.fsync(opened.fileno())
        return beside


def _check(name: str) -> None:
    if not NAME.fullmatch(name):
        raise UsageError("a key's name has up to 64 letters, digits, dots, dashes and underscores")


class _translated(contextlib.AbstractContextManager[None]):  # noqa: N801 - it reads as a statement
    """Errors of the system as those of the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise system.storage_error(error, "use", str(error.filename or self._folder)) from error
