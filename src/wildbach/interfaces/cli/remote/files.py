"""`wildbach files`: the files of a torrent of the daemon, and which of them are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click
from rich.text import Text
from rich.tree import Tree

from wildbach.base.errors import UsageError
from wildbach.base.words import plural
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import naming, output, said, table, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.selection import Selection

SHOWN: Final = 200
_PAGE: Final = 10_000
_PRIORITIES: Final = {"skip": 0, "normal": 1, "high": 6, "highest": 7, **{str(number): number for number in range(8)}}
_INDENT: Final = 4
_NAME_LEAST: Final = 12
_WIDE: Final = 10_000
_WORDS: Final = {0: "not wanted", 6: "high", 7: "highest"}


class PriorityType(click.ParamType[tuple[str, int]]):
    """WHAT=PRIORITY."""

    name = "priority"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        what, equals, priority = str(value).rpartition("=")
        if not equals or not what or priority.lower() not in _PRIORITIES:
            self.fail(f"{value!r}: WHAT=PRIORITY is needed, with a priority from 0 to 7, skip, normal, high or highest",
                      param, ctx)
        return what, _PRIORITIES[priority.lower()]


@click.command("files")
@click.option("--want", multiple=True, metavar="WHAT", help="Fetch these too; may be repeated.")
@click.option("--skip", multiple=True, metavar="WHAT", help="Do not fetch these; may be repeated.")
@click.option("--only", multiple=True, metavar="WHAT", help="Fetch these and no others; may be repeated.")
@click.option("--set-priority", "priorities", multiple=True, type=PriorityType(), metavar="WHAT=PRIORITY",
              help="0 to 7, or skip, normal, high, highest; may be repeated.")
@click.option("--under", default="", metavar="FOLDER", help="Show only what is in this folder of the torrent.")
@click.option("--all", "everything", is_flag=True, help=f"Show every file, not only the first {SHOWN}.")
@naming.for_single
def command(
    word: str, want: tuple[str, ...], skip: tuple[str, ...], only: tuple[str, ...],
    priorities: tuple[tuple[str, int], ...], under: str, everything: bool, as_json: bool, reach: Reach,
) -> int:
    """Show the files of a torrent, and choose among them.

    WHAT is numbers as they are shown (0-2,7) or a pattern (*.mkv), also of a folder. --only goes first, --skip last.
    """
    changes = [*((what, 1) for what in want), *priorities, *((what, 0) for what in skip)]
    limit = 0 if everything or as_json else SHOWN

    async def work(api: Api) -> Exit:
        row = await naming.one(api, word)
        if only or changes:
            await choose(api, row.key, only, changes)
        return await show(api, row.key, under, limit, as_json=as_json)

    return reach.run(work)


async def rows(api: Api, key: str, under: str = "") -> list[m.FileRow]:
    """All of them."""
    found: list[m.FileRow] = []
    while True:
        page = await api.files(key, m.FileListing(offset=len(found), limit=_PAGE, under=under))
        found += page.files
        if len(found) >= page.total or not page.files:
            return found


async def choose(api: Api, key: str, only: Sequence[str], changes: Sequence[tuple[str, int]]) -> None:
    """Set priorities: first what `only` asks for, then the others in their order. Raises UsageError."""
    there = await rows(api, key)
    if not there:
        raise UsageError("its files are not known yet", code="no_metadata")
    chosen: dict[int, int] = {}
    if only:
        wanted = _meant(there, only)
        chosen = {file.index: max(1, file.priority) if file.index in wanted else 0 for file in there}
    for what, priority in changes:
        chosen |= dict.fromkeys(_meant(there, [what]), priority)
    await api.set_priorities(key, m.FilePriorities({str(index): priority for index, priority in chosen.items()}))


def _meant(there: Sequence[m.FileRow], words: Sequence[str]) -> set[int]:
    """The files that the words mean. Raises UsageError for a word that means none."""
    found: set[int] = set()
    tops = {file.path.partition("/")[0] for file in there}
    below = len(next(iter(tops))) + 1 if len(tops) == 1 else 0
    for word in words:
        selection = Selection([word])
        # With the torrent's own folder, as they are shown, and without, as `add --select` takes them.
        mine = {
            file.index for file in there
            if selection.names(file.index, file.path) or selection.names(file.index, file.path[below:])}
        if not mine:
            raise UsageError(f"{text.clean(word)!r} names no file of this torrent")
        found |= mine
    return found


async def show(api: Api, key: str, under: str, limit: int, *, as_json: bool) -> Exit:
    if as_json:
        said.records(await rows(api, key, under))
        return Exit.OK
    page = await api.files(key, m.FileListing(limit=limit or 1, under=under))
    found = await rows(api, key, under) if not limit else list(page.files)
    if not found:
        output.line("Its files are not known yet." if not under else "There is no such folder.")
        return Exit.FAILED
    console = table.console()
    # Where a program reads, a line is as long as it takes.
    width = console.width if output.is_live() else _WIDE
    console.print(tree(found, page.total - len(found), width), width=width)
    return Exit.OK


def tree(found: Sequence[m.FileRow], more: int, width: int = 1000) -> Tree:
    """Folders and files with their numbers, on so many columns: names are shortened, and figures are not."""
    root = Tree(Text("files", style="dim"))
    folders: dict[tuple[str, ...], Tree] = {(): root}
    for file in found:
        *parents, name = file.path.split("/")
        parts = tuple(parents)
        for depth in range(1, len(parts) + 1):
            if parts[:depth] not in folders:
                folder = Text(text.clean(parts[depth - 1]) + "/", style="blue")
                folder.truncate(max(_NAME_LEAST, width - _INDENT * depth), overflow="ellipsis")
                folders[parts[:depth]] = folders[parts[: depth - 1]].add(folder)
        folders[parts].add(_leaf(file, name, width - _INDENT * (len(parts) + 1)))
    if more > 0:
        root.add(Text(f"… and {plural(more, 'more file')}; --all lists them", style="dim"))
    return root


def _leaf(file: m.FileRow, name: str, width: int) -> Text:
    figures = Text(f"  {text.size(file.size)}", "cyan")
    if file.have < file.size:
        figures.append(f"  {text.percent(file.have / file.size)}", "yellow" if file.priority else "dim")
    if file.priority != 1:
        words = f"  ({_WORDS.get(file.priority, f'priority {file.priority}')})"
        figures.append(words, "dim" if not file.priority else "")
    leaf = Text.assemble((f"{file.index} ", "dim"), text.clean(name))
    leaf.truncate(max(_NAME_LEAST, width - figures.cell_len), overflow="ellipsis")
    return leaf.append_text(figures)
