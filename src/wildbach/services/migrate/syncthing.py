"""Syncthing: which folders it keeps the same (config.xml), and what it leaves out of them (.stignore).

Its devices are not taken over: they know each other by certificates that only Syncthing has. Each joins by a link.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.parsers import expat

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, WildbachError
from wildbach.protocol.metainfo.paths import printable
from wildbach.services.migrate.folders import read
from wildbach.services.migrate.placing import PathMap, place

CONFIG: Final = "config.xml"
IGNORES: Final = ".stignore"
_CERTIFICATE: Final = "cert.pem"
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
PLACES: Final = (
    ".local/state/syncthing", ".config/syncthing", ".var/app/me.kozec.syncthingtk/config/syncthing",
    "Library/Application Support/Syncthing", "AppData/Local/Syncthing",
)
"Below the home of a user: where its state is usually."
_ROLES: Final = {
    "sendreceive": "both", "readwrite": "both", "sendonly": "send", "readonly": "send", "receiveonly": "receive",
}
_FLAG: Final = re.compile(r"!|\(\?[id]\)")
_BRACES: Final = re.compile(r"(?<!\\)\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Shared:
    """A folder that Syncthing keeps the same with others. `role`: `both`, `send` or `receive`."""

    label: str
    path: Path
    role: str
    paused: bool
    devices: tuple[str, ...]
    "Names of the others it is shared with."
    ignores: tuple[str, ...]
    "Its patterns, in the syntax and order of `.wbignore`."
    notes: tuple[str, ...]
    "What could not be taken over as it was, in words."


@dataclass(frozen=True, slots=True)
class Config:
    """What config.xml says. `notes`: of folders that cannot be taken over at all."""

    folders: tuple[Shared, ...]
    notes: tuple[str, ...]


def find(home: Path) -> Path | None:
    """The state folder of the Syncthing of this user."""
    return next((home / name for name in PLACES if (home / name / CONFIG).is_file()), None)


def read_config(where: Path, paths: PathMap, home: Path) -> Config:
    """Read the state in a folder (or its config.xml), and the patterns in the folders that it names.

    `home`: what `~` means. Raises StorageError, FormatError.
    """
    source = where / CONFIG if where.is_dir() else where
    parser = _Parser()
    parser.read(read(source, limits.IMPORT_CONFIG_BYTES))
    own = _own_id(source.parent / _CERTIFICATE)
    names = {device["id"]: device.get("name", "") or device["id"][:7] for device in parser.devices
             if device.get("id") and _bare(device["id"]) != own}
    folders: list[Shared] = []
    notes: list[str] = []
    for found in parser.folders:
        label = _words(found.fields.get("label") or found.fields.get("id", ""))
        role = _ROLES.get(found.fields.get("type", ""))
        said = found.fields.get("path", "")
        if role is None:
            notes.append(f"{label}: folders of the kind {_words(found.fields.get('type', ''))!r} are not taken over")
            continue
        if said == "~" or said.startswith("~/"):
            said = str(home) + said[1:]
        problems: list[str] = []
        path = place(paths, said, problems, f"{label}:")
        if path is None:
            notes.extend(problems)
            continue
        ignores, remarks = read_ignores(path)
        folders.append(Shared(
            label, path, role, found.paused, tuple(_words(names[each]) for each in found.devices if each in names),
            ignores, remarks))
    return Config(tuple(folders), tuple(notes))


def _own_id(certificate: Path) -> str:
    """The id of the device whose state this is, as `_bare` gives it; empty where that cannot be told. It is the SHA-256
    of the certificate.
    """
    try:
        found = _PEM.search(read(certificate, limits.IMPORT_CERTIFICATE_BYTES))
        raw = base64.b64decode(found[1]) if found is not None else b""
    except (WildbachError, ValueError):
        return ""
    return base64.b32encode(hashlib.sha256(raw).digest()).decode().rstrip("=") if raw else ""


def _bare(id: str) -> str:
    """A device id without its dashes and its check letters, which are every fourteenth."""
    plain = id.replace("-", "")
    return "".join(plain[at : at + 13] for at in range(0, len(plain), 14))


def read_ignores(folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The patterns of a folder for `.wbignore`, and what could not be said there. Nothing where it has none."""
    notes: list[str] = []
    lines = list(_lines(folder, IGNORES, notes, set()))
    found: list[str] = []
    # In .stignore the first pattern that fits counts, in .wbignore the last one.
    for line in reversed(lines):
        found.extend(translate(line, notes))
    return tuple(found), tuple(notes)


def translate(line: str, notes: list[str]) -> tuple[str, ...]:
    """One pattern of .stignore as lines of .wbignore; `notes` gets what is different then."""
    flags: set[str] = set()
    pattern = line
    while (flag := _FLAG.match(pattern)) is not None:
        flags.add(flag[0])
        pattern = pattern[flag.end() :]
    if not pattern.strip("/"):
        return ()
    expanded = _expand(pattern)
    if expanded is None:
        notes.append(f"{_words(line)}: too many alternatives, left out")
        return ()
    if "!" in flags and "/" in pattern.strip("/"):
        notes.append(f"{_words(line)}: counts only where no folder above it is left out")
    made: list[str] = []
    for each in expanded:
        parts = each.split("/")
        if any("**" in part and part.strip("*") for part in parts):
            notes.append(f"{_words(line)}: `**` beside other letters means `*` now")
        if "(?i)" in flags:
            each = _any_case(each)
        if not each.startswith("/") and "/" in each.rstrip("/"):
            each = "**/" + each
        if each.startswith(("#", "!")):
            each = "\\" + each
        made.append("!" + each if "!" in flags else each)
    return tuple(made)


def _lines(folder: Path, name: str, notes: list[str], seen: set[Path]) -> Iterator[str]:
    path = folder / name
    # An include may name any file of the machine; what is read are those of this folder, each once.
    if path in seen or len(seen) >= limits.IMPORT_INCLUDES:
        return
    seen.add(path)
    if not path.is_file():
        if name != IGNORES:
            notes.append(f"#include {_words(name)}: there is no such file")
        return
    try:
        text = read(path, limits.IMPORT_IGNORES_BYTES).decode("utf-8", "replace")
    except WildbachError as error:
        notes.append(f"{_words(name)}: {error}")
        return
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("#include"):
            other = line.removeprefix("#include").strip()
            if other.startswith("/") or ".." in other.split("/"):
                notes.append(f"{_words(line)}: is not in the folder, left out")
            else:
                yield from _lines(folder, other, notes, seen)
        elif line and not line.startswith("//"):
            yield line


def _expand(pattern: str) -> list[str] | None:
    """`a{b,c}` as two patterns; None where there are more than IMPORT_ALTERNATIVES."""
    found = [pattern]
    while any(_BRACES.search(each) for each in found):
        made: list[str] = []
        for each in found:
            match = _BRACES.search(each)
            if match is None:
                made.append(each)
            else:
                made.extend(each[: match.start()] + part + each[match.end() :] for part in match[1].split(","))
            if len(made) > limits.IMPORT_ALTERNATIVES:
                return None
        found = made
    return found


def _any_case(pattern: str) -> str:
    """Letters as classes of both cases; those in classes already, or escaped, stay."""
    made: list[str] = []
    inside = escaped = False
    for char in pattern:
        if not inside and not escaped and char.lower() != char.upper() and len(char.lower() + char.upper()) == 2:
            made.append(f"[{char.lower()}{char.upper()}]")
        else:
            made.append(char)
        if not escaped and char in "[]":
            inside = char == "["
        escaped = char == "\\" and not escaped
    return "".join(made)


def _words(text: str) -> str:
    return printable(text[:100].encode("utf-8", "replace"))


@dataclass(slots=True)
class _Folder:
    fields: dict[str, str]
    devices: list[str]
    paused: bool = False


class _Parser:
    """The few elements that matter; a DOCTYPE, and with it every entity, is refused."""

    def __init__(self) -> None:
        self.folders: list[_Folder] = []
        self.devices: list[dict[str, str]] = []
        self._trail: list[str] = []
        self._text = ""

    def read(self, raw: bytes) -> None:
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = _no_doctype
        parser.buffer_text = True
        try:
            parser.Parse(raw, True)
        except (expat.ExpatError, ValueError) as error:
            raise FormatError(f"is no XML: {error}", where=CONFIG) from None
        if not self._trail and not self.folders and not self.devices:
            raise FormatError("is no configuration of Syncthing", where=CONFIG)

    def _start(self, name: str, fields: dict[str, str]) -> None:
        self._trail.append(name)
        self._text = ""
        if len(self._trail) > limits.IMPORT_DEPTH + 5:
            raise LimitError("is nested too deep", where=CONFIG)
        where = self._trail[1:]
        if where == ["folder"]:
            if len(self.folders) >= limits.SYNC_FOLDERS:
                raise LimitError(f"has more than SYNC_FOLDERS = {limits.SYNC_FOLDERS} folders", where=CONFIG)
            self.folders.append(_Folder(dict(fields), []))
        elif where == ["folder", "device"] and len(self.folders[-1].devices) < limits.SYNC_DEVICES:
            self.folders[-1].devices.append(fields.get("id", ""))
        elif where == ["device"] and len(self.devices) < limits.SYNC_DEVICES:
            self.devices.append(dict(fields))

    def _characters(self, text: str) -> None:
        if len(self._text) < limits.PATH_BYTES:
            self._text += text

    def _end(self, name: str) -> None:
        if self._trail[1:] == ["folder", "paused"]:
            self.folders[-1].paused = self._text.strip() == "true"
        self._trail.pop()
        self._text = ""


def _no_doctype(*_: object) -> None:
    raise FormatError("has a DOCTYPE, which is not read", where=CONFIG)
