"""Indexes of two and three devices, sent to each other in memory: what is lacking goes over, once, and whole."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.syncindexes import NOW, TAG, Device, deliver, devices, meet, part, talk
from tests.syncsim.made import entry, seen

from wildbach.base import limits
from wildbach.base.errors import LimitError, RemoteError
from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.cuts import Verdict
from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.protocol.sync.messages import Ack, Entries, Index
from wildbach.protocol.sync.vectors import VersionVector
from wildbach.services.sync import rows as sync_rows
from wildbach.services.sync import store as stores
from wildbach.services.sync.planner import Why


def row_of(device: Device, path: str, seq: int, **other: object) -> Entry:
    """Signed by a device, for a file of its own."""
    made = replace(entry(path, str(seq)), author=device.id, seq=seq, vector=VersionVector({device.id: seq}))
    return device.sign(replace(made, **other))  # type: ignore[arg-type]  # fields of an entry


def test_what_is_lacking_goes_over_and_nothing_twice(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b") as (a, b):
        for number in range(450):
            a.save(f"file {number:03}", str(number))
        b.save("of b", "x")
        meet(a, b)
        assert talk(a, b) >= 451
        assert a.world() == b.world() and len(a.world()) == 451
        assert a.exchange.compared(b.id) and b.exchange.compared(a.id)
        part(a, b)
        b.save("of b", "y")
        meet(a, b)
        assert talk(a, b) == 1
        assert a.world() == b.world()


def test_an_index_that_was_cut_short_is_not_taken_over_in_part(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b") as (a, b):
        for number in range(450):
            a.save(f"file {number:03}", str(number))
        meet(a, b)
        while not isinstance(said := a.exchange.next(b.id), Entries):
            assert said is not None
            deliver(b, said, a)
        assert not said.whole
        deliver(b, said, a)
        assert b.world() == {}
        part(a, b)
        meet(a, b)
        talk(a, b)
        assert a.world() == b.world()


def test_a_data_base_that_went_back_in_time_is_noticed_and_never_signs_a_number_twice(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b") as (a, b):
        a.save("one", "1")
        a.store.close()
        old = a.path.read_bytes()
        a.begin()
        a.save("two", "2")
        meet(a, b)
        talk(a, b)
        part(a, b)
        newest = max(Entry.unpack(raw).seq for rows in b.world().values() for raw in rows)
        index = a.exchange.index
        a.store.close()
        a.path.write_bytes(old)
        for end in ("-wal", "-shm"):
            a.path.with_name(a.path.name + end).unlink(missing_ok=True)
        a.begin()
        meet(a, b)
        talk(a, b)
        assert a.exchange.index != index and set(a.world()) == {"one", "two"} == set(b.world())
        assert a.core.policy.cautious or a.store.number("sequence") >= newest
        a.core.compared()
        a.save("three", "3")
        talk(a, b)
        signed = [Entry.unpack(raw) for raw in b.world()["three"]]
        assert len(signed) == 1 and signed[0].seq > newest


def test_acknowledgements_are_signed_passed_on_and_let_deletions_be_forgotten(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b", "c") as (a, b, c):
        a.save("x", "1")
        a.core.saw([("x", None)], NOW)
        a.settle()
        assert list(a.store.tombstones()) == ["x"] and a.exchange.agreed() == {}
        meet(a, b)
        talk(a, b)
        assert a.exchange.agreed() == {}, "c does not know of it"
        meet(b, c)
        talk(b, c)
        talk(a, b)
        assert set(a.exchange.acks()) == {a.id, b.id, c.id}
        assert a.exchange.acks()[c.id].get(a.id) == a.store.number("sequence")
        assert a.exchange.agreed() == {a.id: a.store.number("sequence")}
        assert a.core.collect(a.exchange.agreed()) == 1 and list(a.store.tombstones()) == []


def test_the_acknowledgements_of_all_others_come_behind_the_rows_to_who_has_none(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b", "c", "d") as (a, b, c, d):
        a.save("x", "1")
        for other in (b, c):
            meet(a, other)
            talk(a, other)
            part(a, other)
        meet(b, a)
        talk(b, a)
        meet(a, d)
        talk(a, d)
        for each in (a, b, c):
            assert d.exchange.acks()[each.id] == a.exchange.acks()[each.id] != {}
        assert d.exchange.epochs() == {each.id: 0 for each in sorted((a, b, c), key=lambda one: one.id)}


def test_entries_that_their_author_did_not_sign_end_the_session_and_none_of_them_count(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b") as (a, b):
        a.save("x", "1")
        meet(a, b)
        good = entry("y", "2", a.id, seq=9)
        with pytest.raises(RemoteError, match="did not sign"):
            b.exchange.heard_entries(a.id, Entries(TAG, 0, 1, (good.pack(),), whole=True), NOW)
        assert b.world() == {}


def test_entries_of_who_may_not_write_are_set_aside_and_what_is_undecided_waits(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b") as (a, b):
        a.save("x", "1")
        b.roster.verdicts[a.id] = Verdict.UNDECIDED
        meet(a, b)
        talk(a, b)
        assert b.world() == {} and not b.exchange.compared(a.id)
        b.roster.verdicts[a.id] = Verdict.REFUSED
        assert b.exchange.retry(NOW) == 0
        assert b.world() == {} and b.exchange.compared(a.id)
        # Another roster says that they count after all: they are asked for again, as they were not kept.
        b.roster.verdicts[a.id] = Verdict.ACCEPTED
        b.exchange.retry(NOW)
        talk(a, b)
        assert b.world() == a.world() and set(b.world()) == {"x"} and b.exchange.compared(a.id)


def test_what_waits_for_a_list_holds_up_nothing_else_and_is_not_sent_again(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b", "c") as (a, b, c):
        a.save("of a", "1")
        c.save("of c", "1")
        meet(a, c)
        talk(a, c)
        b.roster.verdicts[c.id] = Verdict.WAITS
        meet(a, b)
        talk(a, b)
        assert set(b.world()) == {"of a"} and b.exchange.compared(a.id)
        assert c.id not in b.exchange.acks()[b.id], "not all of c's entries are here"
        b.again()
        a.exchange.close(b.id)
        b.exchange.retry(NOW)
        assert set(b.world()) == {"of a"}
        meet(a, b)
        assert talk(a, b) == 0
        b.roster.verdicts[c.id] = Verdict.ACCEPTED
        assert b.exchange.retry(NOW) == 1 and b.world() == a.world()
        assert not b.store.facts("waits ")


def test_what_waits_for_a_list_and_does_not_count_is_gone_with_the_list(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b", "c") as (a, b, c):
        c.save("of c", "1")
        meet(a, c)
        talk(a, c)
        b.roster.verdicts[c.id] = Verdict.WAITS
        meet(a, b)
        talk(a, b)
        b.roster.verdicts[c.id] = Verdict.REFUSED
        assert b.exchange.retry(NOW) == 0 and b.world() == {} and not b.store.facts("waits ")


def test_with_too_much_that_waits_for_a_list_an_index_waits_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SYNC_WAITING_BYTES", 100)
    with devices(tmp_path, "a", "b", "c") as (a, b, c):
        a.save("of a", "1")
        c.save("of c", "1")
        meet(a, c)
        talk(a, c)
        b.roster.verdicts[c.id] = Verdict.WAITS
        meet(a, b)
        talk(a, b)
        assert b.world() == {} and not b.store.facts("waits ")
        b.roster.verdicts[c.id] = Verdict.ACCEPTED
        b.exchange.retry(NOW)
        assert b.world() == a.world()


def test_a_forged_entry_that_waited_for_its_author_ends_the_session_of_who_sent_it(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b") as (a, b):
        a.save("good", "1")
        b.roster.unknown.add(a.id)
        meet(a, b)
        forged = entry("x", "2", a.id, seq=9)
        b.exchange.heard_entries(a.id, Entries(TAG, 0, 1, (forged.pack(),), whole=True), NOW)
        b.roster.unknown.clear()
        assert b.exchange.retry(NOW) == 0 and b.world() == {}
        with pytest.raises(RemoteError, match="did not sign"):
            b.exchange.next(a.id)


def test_what_was_taken_over_and_does_not_count_any_more_goes_and_what_stood_there_comes_back(
    tmp_path: Path,
) -> None:
    with devices(tmp_path, "a", "b", "c") as (a, b, c):
        a.save("x", "by a")
        meet(a, b)
        meet(a, c)
        meet(b, c)
        for one, other in ((a, b), (a, c)):
            talk(one, other)
        part(a, c)
        part(a, b)
        before = a.world()
        c.save("x", "by c")
        c.save("new", "by c")
        talk(b, c)
        assert set(b.world()) == {"x", "new"} and b.world() != before
        part(b, c)
        # b did not know of it when it was taken back, and so hears of it by asking a anew.
        b.roster.verdicts[c.id] = Verdict.REFUSED
        b.exchange.retry(NOW)
        b.settle()
        assert b.world() == {}
        files = {path for path in b.store.local.below("") if b.store.local.get(path) is not None}
        assert files == {"x", "new"}, "nothing is deleted before somebody has said what stood there"
        meet(a, b)
        talk(a, b)
        b.settle()
        assert b.world() == before == a.world() and b.store.local.get("new") is None
        assert b.store.local.get("x").root == entry("x", "by a").root
        b.exchange.retry(NOW)
        assert b.exchange.compared(a.id), "once is enough"


def test_who_hides_a_false_entry_behind_one_that_waits_is_found_out_and_others_go_on(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b", "c") as (a, b, c):
        c.save("z", "1")
        b.roster.verdicts[a.id] = b.roster.verdicts[c.id] = Verdict.UNDECIDED
        meet(a, b)
        meet(b, c)
        rows = row_of(a, "x", 1).pack(), entry("y", "2", a.id, seq=9).pack()
        with pytest.raises(RemoteError, match="did not sign"):
            b.exchange.heard_entries(a.id, Entries(TAG, 0, 2, rows, whole=True), NOW)
        talk(b, c)
        b.roster.verdicts.clear()
        assert b.exchange.retry(NOW) == 1 and set(b.world()) == {"z"}


def test_what_comes_before_the_disk_was_looked_at_after_a_crash_waits(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b") as (a, b):
        a.save("x", "1")
        b.save("y", "2")
        b.store.hold("y", Why.UNDERWAY)
        b.store.commit()
        b.again()
        meet(a, b)
        talk(a, b)
        assert "x" not in b.world() and not b.exchange.compared(a.id) and a.world() == b.world() | {"x": a.world()["x"]}
        assert b.exchange.retry(NOW) == 0
        b.core.saw([("y", b.store.local.get("y"))], NOW)
        assert b.exchange.retry(NOW) == 1
        assert a.world() == b.world() and b.exchange.compared(a.id)


def test_an_author_of_whom_no_roster_is_known_yet_waits(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b") as (a, b):
        a.save("x", "1")
        b.roster.unknown.add(a.id)
        meet(a, b)
        said = a.exchange.next(b.id)
        while said is not None:
            if isinstance(said, Entries):
                deliver(b, said, a)
            said = a.exchange.next(b.id)
        assert b.world() == {}
        b.roster.unknown.clear()
        assert b.exchange.retry(NOW) == 1 and set(b.world()) == {"x"}


def said_by(device: Device, to: Device) -> list[Entries]:
    found = []
    while (said := device.exchange.next(to.id)) is not None:
        if isinstance(said, Entries):
            found.append(said)
    return found


def test_rows_that_a_device_said_itself_are_not_said_to_it(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b", "c") as (a, b, c):
        for number in range(300):
            a.save(f"file {number:03}", str(number))
        meet(a, b)
        talk(a, b)
        # Of the conflict it lacks one side.
        b.save("file 007", "other")
        b.save("new", "1")
        a.save("file 008", "again")
        for said in said_by(a, b):
            deliver(b, said, a)
        told = said_by(b, a)
        assert [Entry.unpack(each).path for said in told for each in said.entries] == ["file 007", "new"]
        assert told[-1].upto == b.store.last() and told[-1].whole
        # Another one, and the same one after a pause, get all that they lack.
        meet(b, c)
        assert talk(b, c) == 301 and b.world() == c.world()
        part(a, b)
        a.exchange.close(b.id)
        meet(a, b)
        talk(a, b)
        assert a.world() == b.world() and a.exchange.agreed() == b.exchange.agreed()


def test_rows_go_while_others_are_being_signed_and_count_when_all_are(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b") as (a, b):
        meet(a, b)
        talk(a, b)
        a.save("one", "1")
        a.core.saw([("two", seen(entry("two", "2"), 3))], NOW)
        (said,) = said_by(a, b)
        assert len(said.entries) == 1 and not said.whole
        assert deliver(b, said, a) == 0 and b.world() == {}
        assert said_by(a, b) == []
        a.settle()
        (said,) = said_by(a, b)
        assert len(said.entries) == 1 and said.whole
        assert deliver(b, said, a) == 2
        # Nothing new came of the last paths that were looked at: the rows are whole all the same.
        a.save("one", "3")
        a.store.mark("nothing")
        assert [each.whole for each in said_by(a, b)] == [False]
        a.settle()
        (said,) = said_by(a, b)
        assert said == Entries(TAG, said.after, said.after, (), whole=True)


def test_an_acknowledgement_never_says_more_than_the_rows_before_it(tmp_path: Path) -> None:
    """What is signed while rows are on their way is not in them."""
    with devices(tmp_path, "a", "b") as (a, b):
        for at in range(10):
            a.store.put_heads(f"{at:04}", (row_of(a, f"{at:04}", at + 1, extra={b"zz": bytes(30_000)}),))
        a.store.set_number("sequence", 10)
        a.store.commit()
        meet(a, b)
        deliver(b, a.exchange.next(b.id), a)  # type: ignore[arg-type]  # there is one
        a.save("later", "1")
        later = a.store.number("sequence")
        while (said := a.exchange.next(b.id)) is not None and not (isinstance(said, Entries) and said.whole):
            deliver(b, said, a)
        assert isinstance(said, Entries)
        deliver(b, said, a)
        assert b.exchange.have().counter(a.id) == 10 < later
        talk(a, b)
        assert b.exchange.have().counter(a.id) == later


def test_rows_that_nobody_signed_are_refused_as_they_come(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b") as (a, b):
        meet(a, b)
        forged = replace(row_of(a, "x", 1), signature=bytes(64)).pack()
        with pytest.raises(RemoteError, match="did not sign"):
            b.exchange.heard_entries(a.id, Entries(TAG, 0, 1, (forged,), whole=False), NOW)


def test_rows_that_do_not_follow_and_an_index_without_end_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    with devices(tmp_path, "a", "b") as (a, b):
        a.save("x", "1")
        meet(a, b)
        talk(a, b)
        with pytest.raises(RemoteError, match="do not follow"):
            b.exchange.heard_entries(a.id, Entries(TAG, 77, 78, (), whole=True), NOW)
        monkeypatch.setattr(limits, "SYNC_EXCHANGE_BYTES", 1000)
        have = a.store.last()
        with pytest.raises(LimitError, match="SYNC_EXCHANGE_BYTES"):
            for at in range(30):
                b.exchange.heard_entries(
                    a.id, Entries(TAG, have, have, (row_of(a, f"{at}", at + 1).pack(),), whole=False), NOW)


def test_a_huge_index_is_not_in_memory_while_it_comes_nor_when_it_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stores, "_KNOWN", 50)
    monkeypatch.setattr(sync_rows, "_MEMORY", 50_000)
    with devices(tmp_path, "a", "b") as (a, b):
        made = [row_of(a, f"file {at}", at + 1) for at in range(1500)]
        rows = [each.pack() for each in made]
        del made
        b.store.own()
        meet(a, b)
        b.exchange.heard_index(a.id, Index(TAG, a.exchange.index, 1500, bytes(8), 0), NOW)
        tracemalloc.start()
        try:
            # Rows that are long, and then begun anew: they are forgotten.
            for at in range(300):
                row = row_of(a, "long", at + 1, extra={b"zz": bytes(30_000)}).pack()
                b.exchange.heard_entries(a.id, Entries(TAG, at, at + 1, (row,), whole=False), NOW)
            assert tracemalloc.get_traced_memory()[1] < 2 << 20
            tracemalloc.reset_peak()
            b.exchange.heard_index(a.id, Index(TAG, b"another.", 1500, bytes(8), 0), NOW)
            for at in range(0, 1500, 100):
                b.exchange.heard_entries(a.id, Entries(TAG, at, at + 100, tuple(rows[at : at + 100]), at == 1400), NOW)
            assert tracemalloc.get_traced_memory()[1] < 700_000
        finally:
            tracemalloc.stop()
        assert len(b.world()) == 1500


def test_of_several_that_send_without_end_who_has_more_than_its_share_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SYNC_EXCHANGES_BYTES", 3000)
    with devices(tmp_path, "a", "b", "c", "d") as (a, b, c, d):
        for each in (b, c, d):
            meet(a, each)

        def send(one: Device, at: int, *rows: bytes, whole: bool = False) -> None:
            a.exchange.heard_entries(one.id, Entries(TAG, at, at + 1, rows, whole), NOW)

        def long(size: int) -> bytes:
            return row_of(b, "long", 1, extra={b"zz": bytes(size)}).pack()

        send(b, 0, long(1100))
        send(c, 0, long(1100))
        # Who sends little is taken in, and who has most goes.
        good = row_of(d, "good", 1).pack()
        send(d, 0, good)
        with pytest.raises(LimitError, match="SYNC_EXCHANGES_BYTES"):
            send(c, 1, long(10))
        a.exchange.close(c.id)
        send(d, 1, whole=True)
        assert set(a.world()) == {"good"}
        send(b, 1, long(700))


def test_pages_of_long_entries_are_short(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b") as (a, b):
        for at in range(150):
            a.store.put_heads(f"{at:04}", (row_of(a, f"{at:04}", at + 1, extra={b"zz": bytes(30_000)}),))
        a.store.commit()
        packed, upto = a.store.packed_since(0, 200)
        assert sum(map(len, packed)) < limits.MIB + 40_000 and 0 < upto < 150
        meet(a, b)
        talk(a, b)
        assert a.world() == b.world()


def test_an_acknowledgement_that_somebody_else_made_is_refused(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b") as (a, b):
        meet(a, b)
        forged = Ack(TAG, a.id, 0, VersionVector({a.id: 1 << 50}), b"\0" * 64)
        with pytest.raises(RemoteError, match="did not sign"):
            b.exchange.heard_ack(a.id, forged)
        stranger = DeviceId(b"s" * 16)
        b.exchange.heard_ack(a.id, replace(forged, device=stranger))
        with pytest.raises(RemoteError, match="no roster"):
            b.roster.unknown.add(a.id)
            b.exchange.heard_ack(a.id, forged)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(
    st.sampled_from(["save", "talk", "some", "part", "again"]), st.integers(0, 2), st.sampled_from("xyz"),
    st.integers(0, 9)), max_size=25), st.data())
def test_whatever_happens_between_three_they_end_alike(
    tmp_path_factory: pytest.TempPathFactory, played: list[tuple[str, int, str, int]], data: st.DataObject,
) -> None:
    with devices(tmp_path_factory.mktemp("three"), "a", "b", "c") as made:
        pairs = ((0, 1), (1, 2), (0, 2))
        joined: set[tuple[int, int]] = set()

        def apart(pair: tuple[int, int]) -> None:
            joined.discard(pair)
            part(made[pair[0]], made[pair[1]])

        for act, who, path, number in played:
            pair = pairs[who]
            if act == "save":
                made[who].save(path, str(number))
            elif act == "again":
                for each in list(joined):
                    if who in each:
                        apart(each)
                made[who].again()
            elif act == "part" and pair in joined:
                apart(pair)
            elif act in ("talk", "some"):
                one, other = made[pair[0]], made[pair[1]]
                if pair not in joined:
                    meet(one, other)
                    joined.add(pair)
                if act == "talk":
                    talk(one, other)
                elif (said := one.exchange.next(other.id)) is not None:
                    deliver(other, said, one)
        for pair in pairs:
            if pair not in joined:
                meet(made[pair[0]], made[pair[1]])
        for _ in range(6):
            for one, other in pairs:
                talk(made[one], made[other])
        assert made[0].world() == made[1].world() == made[2].world()


def test_links_and_directories_go_over_as_files_do(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b") as (a, b):
        for path, kind in (("d", EntryKind.DIR), ("d/l", EntryKind.LINK)):
            a.core.saw([(path, seen(entry(path, "t" if kind is EntryKind.LINK else "", kind=kind), 1))], NOW)
        a.settle()
        meet(a, b)
        talk(a, b)
        assert a.world() == b.world() and set(b.world()) == {"d", "d/l"}
