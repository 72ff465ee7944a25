"""Categories and tags."""

from __future__ import annotations

from typing import Final

from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import places
from wildbach.interfaces.api.acting import Acting
from wildbach.runtime.turns import in_turns
from wildbach.services.library.groups import Group, check_tag

_SLICE: Final = 100
"Torrents in one turn of the loop."


class Grouping(Acting):
    """A part of the Api."""

    async def categories(self) -> m.Categories:
        found = self.core.library.groups.categories
        return m.Categories(tuple(_category(name, found[name]) for name in sorted(found, key=str.casefold)))

    async def put_category(self, category: m.Category) -> m.Category:
        for path in (category.save_path, category.incomplete_path):
            if path:
                # One that is not from the root is below the usual folder; an absolute one replaces that here.
                await self.core.place(str(places.home(self.core.settings.downloads.folder) / places.home(path)))
        library = self.core.library
        library.groups.put(category.name, Group(
            category.save_path, category.incomplete_path, category.ratio_limit, category.seeding_limit,
            category.idle_limit, category.limit_action,
        ))
        await library.book.write_groups()
        below = set(library.groups.below(category.name))
        await self.follow_categories([
            torrent for torrent in self.core.session.torrents
            if library.entry(torrent.key).category in below
        ])
        return _category(category.name, library.groups.categories[category.name])

    async def remove_categories(self, names: m.Names) -> None:
        library = self.core.library
        missing = [name for name in names.names if name not in library.groups.categories]
        if missing and len(missing) == len(names.names):
            raise UsageError(f"there is no category {missing[0]}", code="not_found")
        gone = {below for name in names.names for below in library.groups.below(name)}
        of_them = [key for key, entry in library.entries.items() if entry.category in gone]
        for key in of_them:
            library.entries[key].category = ""
        await library.book.write(of_them)
        for name in gone:
            library.groups.categories.pop(name, None)
        await library.book.write_groups()
        async for key in in_turns(of_them, _SLICE):
            self.core.catalog.touch(key)
        self.core.catalog.news.set()

    async def tags(self) -> m.Names:
        return m.Names(tuple(sorted(self.core.library.groups.tags, key=str.casefold)))

    async def add_tags(self, names: m.Names) -> None:
        self.core.library.groups.tags |= {check_tag(name) for name in names.names}
        await self.core.library.book.write_groups()

    async def remove_tags(self, names: m.Names) -> None:
        library = self.core.library
        gone = set(names.names)
        of_them = [key for key, entry in library.entries.items() if gone & set(entry.tags)]
        for key in of_them:
            entry = library.entries[key]
            entry.tags = tuple(tag for tag in entry.tags if tag not in gone)
        await library.book.write(of_them)
        library.groups.tags -= gone
        await library.book.write_groups()
        async for key in in_turns(of_them, _SLICE):
            self.core.catalog.touch(key)


def _category(name: str, group: Group) -> m.Category:
    return m.Category(
        name, group.save_path, group.incomplete_path, group.ratio_limit, group.seeding_limit, group.idle_limit,
        group.limit_action,  # type: ignore[arg-type]  # checked where it came in
    )
