"""What a device wrote that was taken out: daemons fetch the list of what was accepted, and take the rest back."""

from __future__ import annotations

import random
import secrets

from syncdaemons import Daemon, Group, saved, tree, until
from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.cuts import Accepted, entry_hash
from wildbach.protocol.sync.devices import DeviceKeys
from wildbach.protocol.sync.listpages import PAGE_HASHES
from wildbach.protocol.sync.writing import Changes
from wildbach.services.sync.membership import Membership
from wildbach.services.sync.store import FolderStore


def take_out(owner: Daemon, device: DeviceId, more: int) -> None:
    """By an owner that is not running: a list of what its data base has, and of `more` entries that there might be."""
    at = owner.home / "state" / "daemon" / "sync"
    (data_base,) = at.glob("*.db")
    store = FolderStore(data_base)
    try:
        membership = Membership(DeviceKeys((at / "device.key").read_bytes()), store)
        entries = list(store.heads_by({device}))
        chance = random.Random(1)
        made = Accepted(frozenset(
            [entry_hash(each.pack()) for each in entries] + [chance.randbytes(32) for _ in range(more)]))
        membership.lists.keep(made)
        cut = made.cut(device, max(each.seq for each in entries))
        membership.amend(Changes(remove=(device,), cuts={device: cut}), secrets.token_bytes)
    finally:
        store.close()


def test_a_list_of_several_pages_is_fetched_and_what_it_does_not_name_is_taken_back(group: Group) -> None:
    a, b, c, d = (group.add(name) for name in "abcd")
    group.pair()
    for each in (c, d):
        each.join(a.share())
    (a.files / "x").write_text("by a")
    group.same()
    d.stop()
    (b.files / "by b").write_text("accepted")
    group.same(a, b, c)
    a.stop()
    # The owner hears nothing of this.
    (b.files / "late").write_text("late")
    (b.files / "x").write_text("late by b")
    (b.files / "by b").unlink()
    group.same(b, c)
    b_id = DeviceKeys((b.home / "state" / "daemon" / "sync" / "device.key").read_bytes()).id
    b.stop()
    take_out(a, b_id, 2 * PAGE_HASHES)
    a.start()
    there = group.same(a, c)
    assert there == {"x": ("file", b"by a", False), "by b": ("file", b"accepted", False)}
    assert {b"late", b"late by b"} <= saved(c.files), "nothing is lost"
    # Who never had anything of b fetches the list, and of c as well.
    a.stop()
    d.start()
    until(lambda: tree(d.files) == there, "what was accepted comes, with the list, of who is no owner")
    (d.files / "x").write_text("by d")
    assert group.same(c, d)["x"] == ("file", b"by d", False)
