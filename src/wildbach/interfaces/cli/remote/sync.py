"""`wildbach sync`: folders that are kept the same on several devices, and who has them."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import click
from msgspec import UNSET

from wildbach.base.errors import UsageError
from wildbach.base.words import plural
from wildbach.interfaces.api import syncmodels as sy
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import links, output, reach, said, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote.add import place
from wildbach.interfaces.cli.remote.key import ask
from wildbach.interfaces.cli.remote.synced import SEEN, owner_words
from wildbach.interfaces.cli.table import Cell, Column, Row

FOLDERS: Final = (
    Column("NAME", flexible=True), Column("STATE"), Column("FILES", right=True, rank=2),
    Column("SIZE", right=True, rank=1), Column("TO COME", right=True), Column("DEVICES", right=True),
    Column("ROLE", rank=4), Column("ID", rank=5), Column("PROBLEM", rank=3),
)
DEVICES: Final = (
    Column("DEVICE", flexible=True), Column("ROLE"), Column("STATE"), Column("LACKS", right=True, rank=1),
    Column("SEEN", rank=2), Column("BY", rank=3), Column("ID", rank=4),
)
LINKS: Final = (Column("ID"), Column("ROLE"), Column("KIND"), Column("USED", right=True), Column("ENDS"))


class SyncGroup(ListGroup):
    """Without a word, `status` is meant."""

    default = "status"


@click.group("sync", cls=SyncGroup)
def command() -> None:
    """Keep folders the same on your devices, without a server.

    One device makes a folder with `create` and a link with `share`; another one joins with `join`. FOLDER is a folder's
    name, its path, or the beginning of its id.
    """


@command.command("status")
@click.argument("folder", default="")
@reach.options
@reach.as_json
def status_command(folder: str, as_json: bool, reach: Reach) -> int:
    """Show the folders of this device; with FOLDER all about one, and who has it."""
    return reach.run(lambda api: status(api, folder, as_json=as_json))


async def status(api: Api, word: str, *, as_json: bool) -> Exit:
    if word:
        folder = await api.synced_folder(word)
        if as_json:
            said.record(folder)
        else:
            describe(folder)
        return Exit.OK
    found = await api.synced_folders()
    code = said.listed(
        found.folders, FOLDERS, line_of, "No folder is kept the same. Begin with wildbach sync create DIR.",
        as_json=as_json)
    if not as_json:
        for folder in found.folders:
            _worries(folder)
    return code


def line_of(folder: sy.SyncFolder) -> Row:
    others = [each for each in folder.devices if not each.me]
    near = sum(each.connected for each in others)
    come = text.short(folder.need_bytes) if folder.need_files else ""
    return (
        text.clean(folder.name), state_words(folder), f"{folder.files:,}", text.short(folder.size), come,
        f"{near}/{len(others)}", folder.role, folder.id[:12], Cell(text.clean(folder.question or folder.reason), "red"))


def state_words(folder: sy.SyncFolder) -> str | Cell:
    if folder.state == "syncing":
        return f"syncing {text.percent(folder.progress)}"
    colour = {"idle": "green", "asking": "yellow", "stopped": "red"}.get(folder.state, "")
    return Cell({"idle": "up to date"}.get(folder.state, folder.state), colour)


def describe(folder: sy.SyncFolder) -> None:
    """For a person."""
    words = state_words(folder)
    come = f"{plural(folder.need_files, 'file')}, {text.short(folder.need_bytes)}" if folder.need_files else ""
    facts = (
        ("folder", folder.name), ("path", folder.path), ("state", words if isinstance(words, str) else words.text),
        ("files", f"{folder.files:,}, {text.short(folder.size)}"),
        ("to come", come), ("this device", owner_words(folder.role, folder.mode)),
        ("left out here", ", ".join(folder.excluded)), ("conflicts", str(folder.conflicts or "")),
        ("problems", f"{folder.problems}: wildbach sync missing" if folder.problems else ""),
        ("changed here only", f"{folder.local}: wildbach sync revert" if folder.local else ""),
        ("old versions", text.short(folder.versions_size) if folder.versions_size else ""), ("id", folder.id),
        ("problem", folder.reason), ("question", folder.question),
    )
    for name, value in facts:
        if value:
            output.line(text.clean(f"{name + ':':<19}{value}"))
    said.listed(folder.devices, DEVICES, device_line, "", as_json=False)
    _worries(folder)


def device_line(device: sy.SyncDevice) -> Row:
    state = "this device" if device.me else (device.state or "connected") if device.connected else "away"
    lacks = f"{plural(device.need_files, 'file')}, {text.short(device.need_bytes)}" if device.need_files else ""
    seen = "" if device.me or device.connected else text.moment(device.seen_at) if device.seen_at else "never"
    return (
        text.clean(device.name) or device.id[:12], device.role, text.clean(f"{state} {device.reason}".strip()), lacks,
        seen, f"{device.way} {device.endpoint}".strip(), device.id[:12])


def _worries(folder: sy.SyncFolder) -> None:
    name = text.clean(folder.name)
    if folder.question:
        output.warn(text.clean(f"{folder.name}: {folder.question}"))
        output.advise(f"wildbach sync answer {name!r} yes, or no")
    if folder.recovery == "unsaved" and folder.owners < 2 and folder.role == "owner":
        output.warn(f"{name}: if this device is lost, nobody can let devices in or out")
        output.advise(f"save the recovery key with wildbach sync recovery {name!r}, or make another device an owner")


@command.command("create")
@click.argument("directory", metavar="DIR")
@click.option("--name", default="", metavar="TEXT", help="What it is called on all devices.  [default: as the folder]")
@reach.options
@reach.as_json
def create_command(directory: str, name: str, as_json: bool, reach: Reach) -> int:
    """Begin to keep a folder of the daemon's machine the same. Files that are in it belong to it."""
    making = sy.SyncMaking(place(directory, reach) or directory, name)
    return reach.run(lambda api: created(api, making, as_json=as_json))


async def created(api: Api, making: sy.SyncMaking, *, as_json: bool) -> Exit:
    folder = await api.create_synced(making)
    if as_json:
        said.record(folder)
    else:
        output.line(text.clean(f"{folder.path} is kept the same from now on, as {folder.name!r}"))
        output.line(text.clean(f"let a device in with: wildbach sync share {folder.name!r}"))
    return Exit.OK


@command.command("share")
@click.argument("folder")
@click.option("--read-only", is_flag=True, help="The device may read, and what it changes stays with it.")
@click.option("--hours", type=click.IntRange(1, 24 * 365), default=24, show_default=True, help="How long it lets in.")
@click.option("--reusable", is_flag=True, help="It lets in many devices, 200 at most, until it is taken back.")
@click.option("--qr/--no-qr", default=None, help="Draw it for a camera.  [default: in a terminal]")
@reach.options
@reach.as_json
def share_command(
    folder: str, read_only: bool, hours: int, reusable: bool, qr: bool | None, as_json: bool, reach: Reach,
) -> int:
    """Make a link that lets one device join.

    Whoever has the link may join: send it as you would a key. This device must be running when it is used.
    """
    making = sy.SyncLinkMaking("ro" if read_only else "rw", hours, reusable)
    return reach.run(lambda api: shared(api, folder, making, qr=qr, as_json=as_json))


async def shared(api: Api, word: str, making: sy.SyncLinkMaking, *, qr: bool | None, as_json: bool) -> Exit:
    link = await api.share_synced(word, making)
    if as_json:
        said.record(link)
        return Exit.OK
    output.line(link.text)
    if qr or (qr is None and output.is_live()):
        for each in links.drawn(link.text):
            output.line(each)
    kind = "any number of devices" if link.reusable else "one device"
    output.warn(f"it lets {kind} in until {text.moment(link.expires_at)}; on the other one: wildbach sync join DIR")
    return Exit.OK


@command.command("links")
@click.argument("folder")
@reach.options
@reach.as_json
def links_command(folder: str, as_json: bool, reach: Reach) -> int:
    """Show the links that still let devices in."""
    return reach.run(lambda api: listed_links(api, folder, as_json=as_json))


async def listed_links(api: Api, word: str, *, as_json: bool) -> Exit:
    return said.listed((await api.sync_links(word)).links, LINKS, link_line, "No link is open.", as_json=as_json)


def link_line(link: sy.SyncLink) -> Row:
    return (
        link.id, link.role, "reusable" if link.reusable else "once", str(link.used), text.moment(link.expires_at))


@command.command("unshare")
@click.argument("folder")
@click.argument("link")
@reach.options
def unshare_command(folder: str, link: str, reach: Reach) -> int:
    """Take a link back. Devices that came by it stay."""
    async def work(api: Api) -> Exit:
        await api.unshare_synced(folder, link)
        output.line("it lets nobody in any more")
        return Exit.OK

    return reach.run(work)


@command.command("join")
@click.argument("directory", metavar="DIR")
@click.option("--qr", "picture", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Read the link from a picture of its QR code.")
@click.option("--send-only", is_flag=True, help="Changes of others are shown and not made here.")
@reach.options
@reach.as_json
def join_command(directory: str, picture: Path | None, send_only: bool, as_json: bool, reach: Reach) -> int:
    """Join a folder with a link, which is asked for, or comes by stdin or from a picture; never as a word of the
    command, which every program of this machine can read.

    DIR may have files: equal ones are taken as they are, different ones are kept beside the others, nothing is deleted.
    """
    link = _read_link(picture)
    joining = sy.SyncJoining(link, place(directory, reach) or directory, "send" if send_only else "both")
    return reach.run(lambda api: joined(api, joining, as_json=as_json))


def _read_link(picture: Path | None) -> str:
    if picture is not None:
        return read_qr(picture)
    words = ask("the link") if sys.stdin.isatty() else sys.stdin.readline()
    if not words.strip():
        raise UsageError("no link was given: paste it when asked, or send it by stdin")
    return words.strip()


def read_qr(picture: Path) -> str:
    """The text of the QR code in a picture. Raises UsageError."""
    try:
        from wildbach.interfaces import camera  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise UsageError(
            "to read pictures, install wildbach[qr]; or paste the link", code="no_qr") from None
    return camera.read(picture)


async def joined(api: Api, joining: sy.SyncJoining, *, as_json: bool) -> Exit:
    (job,) = await said.follow(api, [await api.join_synced(joining)], as_json=as_json)
    if as_json:
        said.record(job)
    elif job.state == "done":
        output.line(text.clean(f"joined {job.result.get('name', '')!r} as {job.result.get('path', '')}"))
    return said.ended(job)


@command.command("leave")
@click.argument("folder")
@click.option("--erase-versions", is_flag=True, help="Remove the old versions that are kept here.")
@reach.options
def leave_command(folder: str, erase_versions: bool, reach: Reach) -> int:
    """Keep a folder the same no longer on this device. Its files stay."""
    async def work(api: Api) -> Exit:
        await api.leave_synced(folder, sy.SyncLeaving(erase_versions))
        output.line("left; the files stay where they are")
        return Exit.OK

    return reach.run(work)


@command.command("revoke")
@click.argument("folder")
@click.argument("device")
@reach.options
def revoke_command(folder: str, device: str, reach: Reach) -> int:
    """Take a device out of a folder: it gets nothing new, and its links die. What it has read it keeps."""
    return _changed(reach, lambda api: api.revoke_synced(folder, sy.SyncRevoking(device)))


@command.command("role")
@click.argument("folder")
@click.argument("device")
@click.argument("role", type=click.Choice(["owner", "rw", "ro"]))
@reach.options
def role_command(folder: str, device: str, role: str, reach: Reach) -> int:
    """Say what a device may: owner (lets devices in and out), rw (reads and writes), ro (reads)."""
    change = sy.SyncRoleChange(device, _ROLES[role])
    return _changed(reach, lambda api: api.set_sync_role(folder, change))


_ROLES: Final[Mapping[str, sy.SyncRole]] = {"owner": "owner", "rw": "rw", "ro": "ro"}


def _changed(reach: Reach, doing: Callable[[Api], Awaitable[sy.SyncFolder]]) -> int:
    async def work(api: Api) -> Exit:
        describe(await doing(api))
        return Exit.OK

    return reach.run(work)


@command.command("move")
@click.argument("folder")
@click.argument("directory", metavar="DIR")
@reach.options
def move_command(folder: str, directory: str, reach: Reach) -> int:
    """Move a folder to DIR, or say that it was moved there. Nothing is sent again."""
    return _changed(
        reach, lambda api: api.change_synced(folder, sy.SyncPatch(path=place(directory, reach) or directory)))


@command.command("set")
@click.argument("folder")
@click.option("--name", metavar="TEXT", help="What it is called here.")
@click.option("--pause/--resume", "paused", default=None, help="Do nothing for now; go on.")
@click.option("--send-only/--both-ways", "send_only", default=None, help="Make changes of others here, or not.")
@click.option("--leave-out", "out", multiple=True, metavar="PATH",
              help="A folder in it that is not to be here; may be repeated.")
@click.option("--keep-all", is_flag=True, help="Leave nothing out.")
@reach.options
def set_command(
    folder: str, name: str | None, paused: bool | None, send_only: bool | None, out: tuple[str, ...], keep_all: bool,
    reach: Reach,
) -> int:
    """Change how a folder is kept on this device."""
    if out and keep_all:
        raise UsageError("--leave-out and --keep-all exclude each other")
    mode: sy.SyncMode = "send" if send_only else "both"
    patch = sy.SyncPatch(
        UNSET if name is None else name, UNSET, UNSET if send_only is None else mode,
        UNSET if paused is None else paused, () if keep_all else tuple(each.strip("/") for each in out) or UNSET)
    return _changed(reach, lambda api: api.change_synced(folder, patch))


@command.command("answer")
@click.argument("folder")
@click.argument("word", type=click.Choice(["yes", "no"]))
@reach.options
def answer_command(folder: str, word: str, reach: Reach) -> int:
    """Say whether the many deletions or changes that a folder asks about are meant."""
    return _changed(reach, lambda api: api.answer_synced(folder, sy.SyncAnswer(word == "yes")))


@command.command("scan")
@click.argument("folder")
@reach.options
def scan_command(folder: str, reach: Reach) -> int:
    """Look through the whole folder now."""
    async def work(api: Api) -> Exit:
        await api.scan_synced(folder)
        output.line("looking")
        return Exit.OK

    return reach.run(work)


@command.command("device")
@click.argument("name", default="")
@reach.options
def device_command(name: str, reach: Reach) -> int:
    """Show what this device is called, or call it NAME."""
    async def work(api: Api) -> Exit:
        found = await (api.name_sync_device(sy.SyncSelf(name)) if name else api.synced_folders())
        output.line(text.clean(f"{found.name}  {found.device}"))
        return Exit.OK

    return reach.run(work)


for _one in SEEN:
    command.add_command(_one)
