"""What `wildbach sync` shows of files of a folder (missing and why, conflicts, old versions), and does to them."""

from __future__ import annotations

import sys
from typing import Final

import click

from wildbach.base.errors import UsageError
from wildbach.base.words import plural
from wildbach.interfaces.api import syncmodels as sy
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, said, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote.add import place
from wildbach.interfaces.cli.remote.key import ask
from wildbach.interfaces.cli.table import Cell, Column, Row

ITEMS: Final = (
    Column("PATH", flexible=True), Column("SIZE", right=True), Column("CHANGED", rank=1), Column("BY", rank=2),
    Column("STATE"), Column("WHY", rank=3),
)
TROUBLES: Final = (Column("PATH", flexible=True), Column("WHAT"), Column("SIZE", right=True, rank=1), Column("WHY"))
CONFLICTS: Final = (
    Column("PATH", flexible=True), Column("COPY"), Column("BY", rank=1), Column("WHEN", rank=2),
)
VERSIONS: Final = (
    Column("ID"), Column("PATH", flexible=True), Column("SIZE", right=True), Column("REPLACED"), Column("BY", rank=1),
    Column("WHY", rank=2),
)
EVENTS: Final = (Column("WHEN"), Column("WHAT"), Column("PATH", flexible=True), Column("BY", rank=1))
FOUND: Final = (
    Column("LABEL", flexible=True), Column("PATH"), Column("KIND", rank=1), Column("PATTERNS", right=True, rank=2),
    Column("SHARED WITH", rank=3),
)
_PAGE: Final = 500


def owner_words(role: sy.SyncRole, mode: sy.SyncMode) -> str:
    """What this device is in a folder."""
    words = {"owner": "an owner: it lets devices in and out", "rw": "reads and writes", "ro": "reads"}[role]
    return words + ("; changes of others are not made here" if mode == "send" else "")


@click.command("ls")
@click.argument("folder")
@click.argument("path", default="")
@reach.options
@reach.as_json
def ls_command(folder: str, path: str, as_json: bool, reach: Reach) -> int:
    """Show what is in a folder, on all devices and here."""
    return reach.run(lambda api: ls(api, folder, path.strip("/"), as_json=as_json))


async def ls(api: Api, word: str, under: str, *, as_json: bool) -> Exit:
    items: list[sy.SyncItem] = []
    while True:
        after = items[-1].path if items else ""
        page = await api.synced_items(word, sy.SyncQuery(under, after, _PAGE))
        items.extend(page.items)
        if not page.more or not page.items:
            break
    return said.listed(items, ITEMS, item_line, "Nothing is in it.", as_json=as_json)


def item_line(item: sy.SyncItem) -> Row:
    name = item.path + ("/" if item.kind == "dir" else "")
    colour = {"here": "", "coming": "cyan"}.get(item.state, "yellow")
    return (
        text.clean(name), text.short(item.size) if item.kind == "file" else "", text.moment(item.changed_at),
        text.clean(item.by), Cell(item.state, colour), text.clean(item.reason))


@click.command("missing")
@click.argument("folder")
@reach.options
@reach.as_json
def missing_command(folder: str, as_json: bool, reach: Reach) -> int:
    """Show what is missing here and why, and what cannot be kept the same."""
    return reach.run(lambda api: missing(api, folder, as_json=as_json))


async def missing(api: Api, word: str, *, as_json: bool) -> Exit:
    found: list[sy.SyncTrouble] = []
    while True:
        page = await api.sync_troubles(word, sy.SyncQuery("", found[-1].path if found else "", _PAGE))
        found.extend(page.troubles)
        if not page.more or not page.troubles:
            break
    return said.listed(found, TROUBLES, trouble_line, "Nothing is missing.", as_json=as_json)


def trouble_line(trouble: sy.SyncTrouble) -> Row:
    return (
        text.clean(trouble.path), trouble.what.replace("_", " "), text.short(trouble.size) if trouble.size else "",
        text.clean(trouble.reason))


@click.command("conflicts")
@click.argument("folder")
@click.argument("copy", default="")
@click.option("--keep", type=click.Choice(["this", "copy", "both"]),
              help="Resolve it: what stands at the path stays, COPY takes its place, or both stay.")
@reach.options
@reach.as_json
def conflicts_command(folder: str, copy: str, keep: str | None, as_json: bool, reach: Reach) -> int:
    """Show conflicts: two contents of one path of which neither device knew the other's.

    With COPY, as the list shows it: where the two differ. With --keep, too: resolve it.
    """
    if keep and not copy:
        raise UsageError("to resolve a conflict takes both: COPY, as the list shows it, and --keep")
    if copy and not keep:
        return reach.run(lambda api: difference(api, folder, copy, as_json=as_json))
    if keep:
        resolving = sy.SyncResolving(copy, "this" if keep == "this" else "copy" if keep == "copy" else "both")
        return reach.run(lambda api: resolved(api, folder, resolving))
    return reach.run(lambda api: conflicts(api, folder, as_json=as_json))


async def conflicts(api: Api, word: str, *, as_json: bool) -> Exit:
    found = (await api.sync_conflicts(word)).conflicts
    return said.listed(found, CONFLICTS, conflict_line, "There are no conflicts.", as_json=as_json)


_SIGNS = {"same": "  ", "place": "- ", "copy": "+ "}
_NO_LINES = {
    "binary": "These are no texts: open both to compare them.", "large": "These are too long to be compared here.",
    "gone": "One of the two is not on this device now.", "": "Both are the same text.",
}


async def difference(api: Api, word: str, copy: str, *, as_json: bool) -> Exit:
    found = await api.sync_difference(word, sy.SyncCopy(copy))
    if as_json:
        said.record(found)
        return Exit.OK
    if not found.lines:
        output.line(_NO_LINES.get(found.reason, ""))
        return Exit.OK
    output.line(text.clean(f"- under its name, + {copy}"))
    for each in found.lines:
        if each.what == "gap":
            output.line(f"  … {each.text} equal lines")
        else:
            output.line(_SIGNS[each.what] + text.clean(each.text))
    if found.reason == "cut":
        output.line("  … and more that is not shown")
    return Exit.OK


def conflict_line(conflict: sy.SyncConflict) -> Row:
    return text.clean(conflict.path), text.clean(conflict.copy), text.clean(conflict.by), text.moment(conflict.at)


async def resolved(api: Api, word: str, resolving: sy.SyncResolving) -> Exit:
    await api.resolve_sync_conflict(word, resolving)
    output.line(text.clean(f"resolved: {resolving.copy}"))
    return Exit.OK


@click.command("versions")
@click.argument("folder")
@click.argument("path", default="")
@reach.options
@reach.as_json
def versions_command(folder: str, path: str, as_json: bool, reach: Reach) -> int:
    """Show old versions that are kept here: what changes of other devices replaced. The newest first."""
    return reach.run(lambda api: versions(api, folder, path.strip("/"), as_json=as_json))


async def versions(api: Api, word: str, under: str, *, as_json: bool) -> Exit:
    found: list[sy.SyncVersion] = []
    while True:
        page = await api.sync_versions(word, sy.SyncQuery(under, found[-1].id if found else "", _PAGE))
        found.extend(page.versions)
        if not page.more or not page.versions:
            break
    return said.listed(found, VERSIONS, version_line, "No old version is kept here.", as_json=as_json)


def version_line(version: sy.SyncVersion) -> Row:
    return (
        version.id, text.clean(version.path), text.short(version.size), text.moment(version.at),
        text.clean(version.by), version.why)


@click.command("restore")
@click.argument("folder")
@click.argument("version")
@click.option("--to", default="", metavar="PATH", help="Another path of the folder.")
@reach.options
def restore_command(folder: str, version: str, to: str, reach: Reach) -> int:
    """Bring an old version back, on all devices. VERSION is an id of `versions`, or a path: its newest version."""
    return reach.run(lambda api: restored(api, folder, version, to))


async def restored(api: Api, word: str, version: str, to: str) -> Exit:
    await api.restore_synced(word, sy.SyncRestoring(version, to.strip("/")))
    output.line(text.clean(f"back: {to or version}"))
    return Exit.OK


@click.command("revert")
@click.argument("folder")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@reach.options
def revert_command(folder: str, paths: tuple[str, ...], reach: Reach) -> int:
    """On a device that only reads, take back what was changed here. It is kept as an old version."""
    async def work(api: Api) -> Exit:
        await api.revert_synced(folder, sy.SyncReverting(tuple(each.strip("/") for each in paths)))
        output.line("taken back")
        return Exit.OK

    return reach.run(work)


@click.command("history")
@click.argument("folder")
@reach.options
@reach.as_json
def history_command(folder: str, as_json: bool, reach: Reach) -> int:
    """Show what happened in a folder lately."""
    return reach.run(lambda api: history(api, folder, as_json=as_json))


async def history(api: Api, word: str, *, as_json: bool) -> Exit:
    return said.listed(
        (await api.sync_history(word)).events, EVENTS, event_line, "Nothing happened yet.", as_json=as_json)


def event_line(event: sy.SyncEvent) -> Row:
    return text.moment(event.at), event.what, text.clean(event.path), text.clean(event.by)


@click.command("recovery")
@click.argument("folder")
@click.option("--saved", is_flag=True, help="The words are saved: this device forgets them.")
@reach.options
def recovery_command(folder: str, saved: bool, reach: Reach) -> int:
    """Show the recovery key of a folder, to be written down; then say with --saved that it is.

    With it a folder can be taken over when no device of an owner is left. Whoever has it can do so.
    """
    async def work(api: Api) -> Exit:
        if saved:
            await api.sync_recovery_saved(folder)
            output.line("this device has forgotten it: what you wrote down is the only copy")
        else:
            output.line((await api.sync_recovery_key(folder)).words)
            output.warn("write these words down, keep them where no thief finds them, and say then: "
                        "wildbach sync recovery FOLDER --saved")
        return Exit.OK

    return reach.run(work)


@click.command("recover")
@click.argument("folder")
@reach.options
def recover_command(folder: str, reach: Reach) -> int:
    """Make this device an owner with the recovery key, which is asked for or comes by stdin."""
    words = ask("the words of the recovery key") if sys.stdin.isatty() else sys.stdin.readline()

    async def work(api: Api) -> Exit:
        await api.recover_synced(folder, sy.SyncRecovering(" ".join(words.split())))
        output.line("this device is an owner now")
        return Exit.OK

    return reach.run(work)


@click.command("import-syncthing")
@click.argument("path", metavar="[FOLDER]", default="")
@click.option("--only", "only", multiple=True, metavar="PATH", help="Only the folder at this path; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Only look.")
@reach.options
@reach.as_json
def import_command(path: str, only: tuple[str, ...], dry_run: bool, as_json: bool, reach: Reach) -> int:
    """Take over folders of Syncthing, with their labels and patterns.

    FOLDER is the state folder of Syncthing on the daemon's machine; by default where it usually is. End Syncthing
    first. Its devices are not taken over: let each join with a link. Files that are the same are not sent again.
    """
    where = place(path, reach) or ""
    return reach.run(lambda api: take_over(api, where, only, dry_run=dry_run, as_json=as_json))


async def take_over(api: Api, path: str, only: tuple[str, ...], *, dry_run: bool, as_json: bool) -> Exit:
    found = await api.look_at_syncthing(sy.SyncthingWhere(path))
    if dry_run:
        if as_json:
            said.record(found)
            return Exit.OK
        said.listed(found.folders, FOUND, found_line, "Syncthing keeps no folder the same.", as_json=False)
        _remarks(found)
        return Exit.OK
    taken = await api.import_syncthing(sy.SyncthingImport(path, only))
    if as_json:
        said.record(taken)
        return Exit.OK
    _remarks(found)
    output.line(f"{plural(len(taken.folders), 'folder')} kept by wildbach now; let the other devices join: "
                "wildbach sync share FOLDER")
    return Exit.OK


def found_line(folder: sy.SyncthingFolder) -> Row:
    kind = f"{folder.mode}{', paused' if folder.paused else ''}{', taken' if folder.taken else ''}"
    return (
        text.clean(folder.label), text.clean(folder.path), kind, str(folder.ignores or ""),
        text.clean(", ".join(folder.devices)))


def _remarks(found: sy.SyncthingFound) -> None:
    for note in (*found.notes, *(f"{each.label}: {note}" for each in found.folders for note in each.notes)):
        output.warn(text.clean(note))


SEEN: Final = (
    ls_command, missing_command, conflicts_command, versions_command, restore_command, revert_command,
    history_command, recovery_command, recover_command, import_command,
)
