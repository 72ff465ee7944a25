"""Folders that are kept the same, as the Api shows them."""

from __future__ import annotations

import io
import time
from typing import Final

from wildbach.base.ids import DeviceId
from wildbach.interfaces.api import syncmodels as sy
from wildbach.protocol.sync.entries import Entry
from wildbach.protocol.sync.roster import Member, Role
from wildbach.services.sync.planner import Why
from wildbach.services.sync.service import Kept, SyncService
from wildbach.services.sync.trees import Seen

_ROLES: Final[dict[Role, sy.SyncRole]] = {
    Role.OWNER: "owner", Role.READ_WRITE: "rw", Role.READ_ONLY: "ro", Role.STORE: "ro"}


def folder_model(one: Kept, service: SyncService) -> sy.SyncFolder:
    """From what was counted last: the data base is not asked."""
    folder, standing = one.folder, one.folder.standing
    membership = folder.membership
    members = membership.view.state.members
    role = membership.role
    reason = folder.problem.message if folder.problem is not None else ""
    if role is None:
        reason = "this device was taken out of the folder: its files stay, and nothing new comes"
    elif membership.secret is None:
        reason = "the folder's secrets were changed while this device was away: it waits for another device"
    held = standing.held
    total = max(standing.size + standing.need_bytes, 1)
    devices = tuple(_device(one, service, each) for each in sorted(
        members.values(), key=lambda each: (each.id != service.keys.id, each.name.casefold(), each.id)))
    owners = [each for each in members.values() if each.role is Role.OWNER]
    return sy.SyncFolder(
        id=folder.id.hex(), name=one.name, path=str(folder.path), role=_ROLES[role] if role is not None else "ro",
        mode="send" if one.saved.mode == "send" else "both",
        state=folder.state,  # type: ignore[arg-type]  # one of the words of SyncState
        reason=reason, question=_question(one), files=standing.files, size=standing.size,
        need_files=standing.need_files, need_bytes=standing.need_bytes,
        progress=1.0 if not standing.need_files else min(0.999, standing.size / total),
        conflicts=standing.conflicts,
        problems=len(folder.skipped) + sum(held.get(why.name, 0) for why in _PROBLEMS),
        local=held.get(Why.CHANGED_HERE.name, 0), down=sum(each.down for each in devices),
        up=sum(each.up for each in devices), devices=devices,
        links=len(one.links.open(membership.view, service.wall())) + len(membership.view.state.links),
        excluded=one.saved.excluded, owners=len(owners), recovery=_recovery(one),
        scanned_at=int(folder.scanned_at), changed_at=int(folder.changed_at), versions_size=standing.versions)


_PROBLEMS: Final = (Why.UNSTORABLE, Why.SHADOWED, Why.NO_ROOM, Why.DISK)


def _recovery(one: Kept) -> sy.SyncRecovery:
    membership = one.folder.membership
    if one.folder.keeps_recovery:
        return "unsaved"
    return "used" if membership.view.state.generation else "saved"


def _question(one: Kept) -> str:
    standing = one.folder.standing
    many = f"{standing.asked:,} of {standing.known:,}"
    if standing.paused and standing.gone:
        return (f"many files went here within an hour: {many} are missing, and the other devices were told of "
                f"{standing.gone:,} before. Was that on purpose? Until you say so, no more is deleted there")
    if standing.paused:
        return (f"many files are missing here at once: {many}. Were they deleted on purpose? Until you say so, nothing "
                "is deleted on the other devices")
    if standing.authors:
        names = " and ".join(one.folder.membership.name_of(each) or each.hex()[:8] for each in standing.authors)
        return (f"{names} deleted or changed many files at once: {many}. Is that meant? Until you say so, they stay "
                "here")
    return ""


def _device(one: Kept, service: SyncService, member: Member) -> sy.SyncDevice:
    folder, device = one.folder, member.id
    link = folder.links.get(device)
    told = folder.told.get(device)
    now = time.monotonic()
    me = device == service.keys.id
    return sy.SyncDevice(
        id=device.hex(), name=member.name, role=_ROLES[member.role], me=me, connected=me or link is not None,
        way=link.session.way if link is not None else "",
        endpoint=str(link.session.remote) if link is not None else "",
        seen_at=int(service.wall()) if me or link is not None else one.saved.seen.get(device.hex(), 0),
        state=told.state if told is not None else "", reason=_away(one, device) if told is None else told.why,
        need_files=told.files if told is not None else 0, need_bytes=told.octets if told is not None else 0,
        down=round(link.session.down.rate(now)) if link is not None else 0,
        up=round(link.session.up.rate(now)) if link is not None else 0,
        received=link.session.down.total if link is not None else 0,
        sent=link.session.up.total if link is not None else 0)


def _away(one: Kept, device: DeviceId) -> str:
    """Why it is not connected."""
    if one.finder is None or device in one.folder.links:
        return ""
    if any(link.device == device for link in one.folder.lobby.links):
        return "it was away while the keys changed, and is given the new ones"
    return next((each.reason for each in one.finder.view() if each.name == device), "")


def item_state(one: Kept, path: str, entry: Entry | None, seen: Seen | None) -> tuple[sy.SyncItemState, str]:
    """How a path stands here, and why."""
    folder = one.folder
    if any(path == each or path.startswith(each + "/") for each in one.saved.excluded):
        return "excluded", "it is not kept on this device"
    rows = folder.store.read("SELECT why FROM holds WHERE path = ?", path)
    if rows:
        why = Why[rows[0][0]]
        state: sy.SyncItemState = {
            Why.COMING: "coming", Why.SHADOWED: "shadowed", Why.CHANGED_HERE: "local"}.get(why, "waiting")  # type: ignore[assignment]  # each is one of the words
        return state, why.value
    skipped = folder.skipped.get(path)
    if skipped is not None:
        return "waiting", skipped.detail or skipped.why.value.replace("_", " ")
    if entry is None or entry.deleted:
        return ("here" if seen is not None else "coming"), ""
    return ("here", "") if seen is not None else ("coming", "")


def qr_picture(text: str) -> str:
    """As an SVG."""
    import segno  # noqa: PLC0415 - start-up time: it is drawn when a link is made

    out = io.BytesIO()
    segno.make(text, error="l", micro=False).save(out, kind="svg", border=2, xmldecl=False, svgns=True)
    return out.getvalue().decode()
