"""Categories, which may be below each other, and tags."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from wildbach.base.errors import FormatError, UsageError
from wildbach.services.library.entry import GLOBAL

_MOST: Final = 10_000


class Group(msgspec.Struct, omit_defaults=True, frozen=True):
    """A category. Empty paths and GLOBAL limits are those of the category above, or of the settings."""

    save_path: str = ""
    incomplete_path: str | None = None
    ratio_limit: float = GLOBAL
    seeding_limit: int = GLOBAL
    idle_limit: int = GLOBAL
    limit_action: str = ""


def check_category(name: str) -> str:
    """The name, where a category can have it. Raises UsageError."""
    parts = name.split("/")
    if not name or len(name) > 1000 or any(part.strip() != part or part in ("", ".", "..") for part in parts):
        raise UsageError(f"{name!r} cannot be a category: parts are divided by /, none is empty, . or ..")
    if "\\" in name or not name.isprintable():
        raise UsageError(f"{name!r} cannot be a category: it has a backslash or a character that cannot be shown")
    return name


def check_tag(name: str) -> str:
    """The name, where a tag can have it. Raises UsageError."""
    if not name or len(name) > 1000 or "," in name or name.strip() != name or not name.isprintable():
        raise UsageError(f"{name!r} cannot be a tag: it has a comma, spaces around it, or cannot be shown")
    return name


def lineage(name: str) -> Iterable[str]:
    """A category and those above it, the nearest first."""
    while name:
        yield name
        name = name.rpartition("/")[0]


class Groups:
    """All categories by name, and all tags."""

    def __init__(self) -> None:
        self.categories: dict[str, Group] = {}
        self.tags: set[str] = set()

    def put(self, name: str, group: Group) -> None:
        """Make or change a category; those above it are made too. Raises UsageError."""
        check_category(name)
        for above in reversed(list(lineage(name))[1:]):
            self.categories.setdefault(above, Group())
        self.categories[name] = group
        if len(self.categories) > _MOST:
            del self.categories[name]
            raise UsageError(f"there are {_MOST} categories already")

    def below(self, name: str) -> list[str]:
        """A category and all below it."""
        return [other for other in self.categories if other == name or other.startswith(name + "/")]

    def folder(self, name: str, root: Path) -> Path:
        """Where torrents of a category go; `root` where nothing is said."""
        rest: list[str] = []
        for above in lineage(name):
            group = self.categories.get(above)
            if group is not None and group.save_path:
                base = Path(group.save_path).expanduser()
                return (base if base.is_absolute() else root / base).joinpath(*reversed(rest))
            rest.append(above.rpartition("/")[2])
        return root.joinpath(*reversed(rest))

    def incomplete_folder(self, name: str, usual: str) -> str:
        """Where files of a category's torrents are until they are complete; empty: nowhere else."""
        for above in lineage(name):
            group = self.categories.get(above)
            if group is not None and group.incomplete_path is not None:
                return group.incomplete_path
        return usual

    def limit(self, name: str, field: str) -> float | int | str:
        """What the nearest category says; GLOBAL or empty where none says anything."""
        for above in lineage(name):
            group = self.categories.get(above)
            if group is not None:
                value: float | int | str = getattr(group, field)
                if value not in (GLOBAL, ""):
                    return value
        return "" if field == "limit_action" else GLOBAL

    # -- in the database

    def encode(self) -> dict[str, bytes]:
        """The whole, as one value: what is kept is never half of it."""
        return {"groups": msgspec.json.encode(_Kept(self.categories, tuple(sorted(self.tags))))}

    @classmethod
    def decode(cls, kept: dict[str, bytes]) -> Groups:
        """Raises FormatError."""
        groups = cls()
        raw = kept.get("groups")
        if raw is not None:
            try:
                found = msgspec.json.decode(raw, type=_Kept)
            except msgspec.MsgspecError as error:
                raise FormatError(str(error), where="groups") from error
            groups.categories, groups.tags = found.categories, set(found.tags)
        return groups


class _Kept(msgspec.Struct, omit_defaults=True):
    categories: dict[str, Group] = {}
    tags: tuple[str, ...] = ()
