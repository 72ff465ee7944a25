"""Counters are on the disk and in the mirror before anything is signed; an older state that is put back is noticed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest

from walletbed import START, Clock
from wildbach.base.errors import StorageError
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.typed import Voucher
from wildbach.services.pay.wallet.counters import Counters
from wildbach.services.pay.wallet.mirror import Mirror, Mirrored
from wildbach.services.pay.wallet.policy import Cover, Refused, Share, SpendingLimits, Wanted
from wildbach.services.pay.wallet.store import WalletStore

PAYER, A, B = (Address(bytes([number]) * 20) for number in (1, 2, 3))
TORRENT = b"t" * 32
EPOCH = int(START * 1000) - 5000
WIDE = SpendingLimits(**{one.name: 10**9 for one in fields(SpendingLimits)})
DAY = 86_400.0


class Bed:
    """A data directory, and the mirror outside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = Clock()
        self.cover: Cover | None = Cover(1, balance=10_000, reserved=0)
        self.opened: list[WalletStore] = []
        self.signed: dict[tuple[Address, int], int] = {}
        (root / "data").mkdir()
        self.counters = self.open()

    def open(self, folder: str = "data") -> Counters:
        store = WalletStore(self.root / folder / "wallet.db")
        self.opened.append(store)
        return Counters(store, Mirror(self.root / "mirrors", PAYER, "payer"), PAYER, self.clock)

    def reopen(self) -> Counters:
        self.close()
        self.counters = self.open()
        return self.counters

    def close(self) -> None:
        for store in self.opened:
            store.close()
        self.opened.clear()

    def sign(
        self, amount: int, payee: Address = A, *, epoch: int = EPOCH, torrent: bytes = TORRENT,
        counters: Counters | None = None,
    ) -> str:
        total = self.signed.get((payee, epoch), 0) + amount
        (answer,) = (counters or self.counters).count(
            [Wanted(Voucher(PAYER, payee, epoch, total), (Share(torrent, amount),))], self.cover)
        if answer is None:
            self.signed[payee, epoch] = total
            return ""
        return answer.code

    def copy(self, to: str) -> None:
        """As a backup does while nothing runs."""
        self.close()
        shutil.copytree(self.root / "data", self.root / to)
        self.counters = self.open()

    def put_back(self, which: str) -> Counters:
        self.close()
        shutil.rmtree(self.root / "data")
        shutil.copytree(self.root / which, self.root / "data")
        self.counters = self.open()
        return self.counters


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    made = Bed(tmp_path)
    made.counters.set_limits(WIDE)
    yield made
    made.close()


def test_limits_are_none_at_first_and_kept(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    assert bed.counters.limits() == SpendingLimits()
    assert bed.sign(1) == "per_voucher"
    bed.counters.set_limits(replace(WIDE, per_day=77))
    assert bed.reopen().limits().per_day == 77
    bed.close()


def test_what_was_counted_is_known_after_a_restart(bed: Bed) -> None:
    assert [bed.sign(10), bed.sign(20), bed.sign(5, B)] == ["", "", ""]
    usage = bed.reopen().usage()
    assert (usage.today, usage.total, usage.adrift, usage.closed_today) == (35, 35, 0, False)
    bed.counters.set_limits(replace(WIDE, per_peer=35))
    assert bed.sign(6) == "per_peer" and bed.sign(5) == ""


def test_the_same_voucher_again_costs_nothing(bed: Bed) -> None:
    bed.sign(10)
    again = Wanted(Voucher(PAYER, A, EPOCH, 10), ())
    bed.counters.set_limits(SpendingLimits())
    assert bed.counters.count([again, again], bed.cover) == [None, None]
    assert bed.counters.usage().total == 10 and bed.counters.usage().turn == 1


def test_shares_of_one_torrent_add_up(bed: Bed) -> None:
    shares = (Share(TORRENT, 4), Share(b"u" * 32, 1), Share(TORRENT, 5))
    assert bed.counters.count([Wanted(Voucher(PAYER, A, EPOCH, 10), shares)], bed.cover) == [None]
    bed.signed[A, EPOCH] = 10
    bed.reopen().set_limits(replace(WIDE, per_torrent=10))
    assert bed.counters.usage().total == 10  # and the sums agree, as that was read from the disk
    assert bed.sign(2) == "per_torrent" and bed.sign(1) == "" and bed.sign(9, torrent=b"u" * 32) == ""


def test_one_that_is_refused_leaves_the_others_of_its_batch(bed: Bed) -> None:
    bed.counters.set_limits(replace(WIDE, per_day=25))
    batch = [Wanted(Voucher(PAYER, payee, EPOCH, 10), (Share(TORRENT, 10),)) for payee in (A, B, Address(b"c" * 20))]
    answers = bed.counters.count(batch, bed.cover)
    assert [one.code if one else "" for one in answers] == ["", "", "per_day"]
    assert bed.counters.usage().total == 20 and bed.counters.usage().turn == 1


def test_a_day_begins_anew_and_a_clock_that_goes_back_begins_none(bed: Bed) -> None:
    bed.counters.set_limits(replace(WIDE, per_day=10))
    assert bed.sign(10) == "" and bed.sign(1) == "per_day"
    bed.clock.now += DAY
    assert bed.sign(9) == ""
    for back in (DAY, 40 * DAY):
        bed.clock.now -= back
        assert bed.sign(2) == "per_day"
    assert bed.sign(1) == ""
    bed.clock.now += 41 * DAY + DAY
    assert bed.sign(10) == ""


def test_a_day_that_only_looked_at_the_clock_is_not_a_restore(bed: Bed) -> None:
    bed.sign(10)
    bed.counters.set_limits(SpendingLimits())
    bed.clock.now += DAY
    assert bed.sign(1) == "per_voucher"
    assert not bed.reopen().usage().closed_today


# -- cover


def test_without_cover_nothing_is_counted(bed: Bed) -> None:
    bed.cover = None
    assert bed.sign(1) == "beyond_deposit"


def test_lanes_of_all_payees_share_the_free_balance(bed: Bed) -> None:
    bed.cover = Cover(1, balance=100, reserved=0)
    assert bed.sign(60) == "" and bed.sign(41, B) == "beyond_deposit" and bed.sign(40, B) == ""
    assert bed.reopen() and bed.sign(1) == "beyond_deposit"
    # A second epoch of one payee is another lane, and no new money.
    assert bed.sign(1, epoch=EPOCH + 1) == "beyond_deposit"
    # 60 were redeemed: the balance is less, and so is what is out.
    bed.cover = Cover(2, balance=40, reserved=0, paid={(A, EPOCH): 60})
    assert bed.sign(1) == "beyond_deposit"
    bed.cover = Cover(3, balance=50, reserved=0, paid={(A, EPOCH): 60})
    assert bed.sign(10) == "" and bed.sign(1, B) == "beyond_deposit"


def test_a_reservation_is_for_its_payee_alone(bed: Bed) -> None:
    bed.cover = Cover(1, balance=100, reserved=80, reservations={A: 80})
    assert bed.sign(21, B) == "beyond_deposit" and bed.sign(20, B) == ""
    assert bed.sign(81) == "beyond_deposit" and bed.sign(80) == ""


def test_what_our_own_transactions_will_take_is_not_free(bed: Bed) -> None:
    bed.cover = Cover(5, balance=100, reserved=0)
    with bed.opened[0].change() as db:
        for number, (state, block) in enumerate([("prepared", 0), ("pending", 0), ("confirmed", 6)]):
            db.execute(
                "INSERT INTO sends (key, signer, kind, created, expiration, txid, raw, signature, hold, state, note,"
                " block, fee, tries, tried, ended) VALUES (?,'cold','call',0,0,?,x'',x'',30,?,'',?,0,0,0,0)",
                (str(number), bytes([number]), state, block))
    assert bed.sign(11) == "beyond_deposit" and bed.sign(10) == ""
    # The vault's state of block 6 has the reservation in it.
    bed.cover = Cover(6, balance=100, reserved=30)
    assert bed.sign(1) == "beyond_deposit"
    with bed.opened[0].change() as db:
        db.execute("UPDATE sends SET state='expired' WHERE state<>'confirmed'")
    assert bed.sign(60) == "" and bed.sign(1) == "beyond_deposit"


# -- offers


def test_an_offer_is_accepted_only_where_it_could_be_paid(bed: Bed) -> None:
    bed.counters.check_accept(A, 33_000, bed.cover)
    for change, code in (
        ({"max_price": 32_999}, "max_price"), ({"per_day": 0}, "per_day"), ({"total": 0}, "total"),
        ({"per_peer": 0}, "per_peer"),
    ):
        bed.counters.set_limits(replace(WIDE, **change))
        with pytest.raises(Refused) as caught:
            bed.counters.check_accept(A, 33_000, bed.cover)
        assert caught.value.code == code
    bed.counters.set_limits(WIDE)
    for cover in (None, Cover(1, balance=0, reserved=0)):
        with pytest.raises(Refused) as caught:
            bed.counters.check_accept(A, 1, cover)
        assert caught.value.code == "beyond_deposit"
    assert bed.counters.usage().turn == 0


def test_fees_have_a_limit_of_their_own(bed: Bed) -> None:
    bed.counters.set_limits(replace(WIDE, fees_per_day=100))
    bed.counters.count_fee(60)
    with pytest.raises(Refused, match="101 SUN of 100"):
        bed.reopen().count_fee(41)
    bed.counters.count_fee(40)
    assert bed.counters.usage().fees_today == 100 and bed.counters.usage().today == 0
    bed.clock.now += DAY
    bed.counters.count_fee(100)


# -- older states


def test_a_backup_that_is_put_back_is_closed(bed: Bed) -> None:
    bed.sign(10)
    bed.copy("backup")
    bed.sign(25)
    counters = bed.put_back("backup")
    usage = counters.usage()
    assert usage.closed_today and usage.total == 35 and usage.adrift == 25
    assert usage.epoch_floor >= int(bed.clock() * 1000) > EPOCH
    assert bed.sign(5) == "epoch_closed"
    assert bed.sign(5, epoch=usage.epoch_floor) == "day_closed"
    bed.clock.now += DAY
    assert bed.sign(5, epoch=usage.epoch_floor) == ""
    assert bed.sign(5) == "epoch_closed"
    # What the lost state signed is out still.
    bed.cover = Cover(2, balance=10 + 5 + 25 + 7, reserved=0)
    assert bed.sign(8, B, epoch=usage.epoch_floor) == "beyond_deposit"
    assert bed.sign(7, B, epoch=usage.epoch_floor) == ""
    bed.reopen().forget_adrift()
    assert bed.sign(25, B, epoch=usage.epoch_floor) == ""
    assert bed.sign(1, B, epoch=usage.epoch_floor) == "beyond_deposit"
    assert bed.reopen().usage().epoch_floor == usage.epoch_floor


def test_a_total_that_was_lost_stays_counted(bed: Bed) -> None:
    bed.counters.set_limits(replace(WIDE, total=50))
    bed.copy("backup")
    bed.sign(40)
    floor = bed.put_back("backup").usage().epoch_floor
    bed.clock.now += DAY
    assert bed.sign(11, B, epoch=floor) == "total" and bed.sign(10, B, epoch=floor) == ""


def test_a_mirror_that_is_gone_is_as_an_older_state(bed: Bed) -> None:
    bed.sign(10)
    shutil.rmtree(bed.root / "mirrors")
    usage = bed.reopen().usage()
    assert usage.closed_today and usage.epoch_floor > EPOCH and usage.total == 10
    assert bed.reopen().usage().epoch_floor == usage.epoch_floor


def test_a_data_directory_that_is_new_beside_an_old_mirror_is_closed(bed: Bed) -> None:
    bed.sign(10)
    bed.close()
    shutil.rmtree(bed.root / "data")
    (bed.root / "data").mkdir()
    usage = bed.reopen().usage()
    assert usage.closed_today and usage.total == 10 and usage.adrift == 10


def test_of_two_copies_on_one_machine_the_second_is_closed(bed: Bed) -> None:
    bed.sign(10)
    bed.copy("copy")
    other = bed.open("copy")
    assert not other.usage().closed_today
    assert bed.sign(5) == ""
    with pytest.raises(Refused) as caught:
        bed.sign(5, B, counters=other)
    assert caught.value.code == "restored"
    assert other.usage().closed_today
    # The first one sees that it is not alone, too.
    with pytest.raises(Refused) as caught:
        bed.sign(5)
    assert caught.value.code == "restored"


def test_of_two_copies_on_one_machine_the_older_one_agrees_to_nothing(bed: Bed) -> None:
    bed.sign(10)
    bed.copy("copy")
    other = bed.open("copy")
    other.check_accept(B, 0, bed.cover)
    bed.sign(5)
    with pytest.raises(Refused) as caught:
        other.check_accept(B, 0, bed.cover)
    assert caught.value.code == "day_closed" and other.usage().total == 15


def test_where_the_vault_paid_more_than_was_signed_another_copy_signs(bed: Bed) -> None:
    bed.sign(10)
    bed.counters.covered(Cover(2, balance=90, reserved=0, paid={(A, EPOCH): 10, (B, EPOCH): 0}))
    assert not bed.counters.usage().closed_today
    bed.counters.covered(Cover(3, balance=60, reserved=0, paid={(A, EPOCH): 40}))
    usage = bed.reopen().usage()
    assert usage.closed_today and usage.total == 40 and usage.epoch_floor > EPOCH
    # Said once: its owner may open the day although the vault goes on saying so.
    bed.counters.reopen_day()
    bed.counters.covered(Cover(4, balance=60, reserved=0, paid={(A, EPOCH): 40}))
    assert not bed.counters.usage().closed_today
    bed.counters.covered(Cover(5, balance=60, reserved=0, paid={(A, EPOCH): 1 << 255, (B, 1 << 63): 5}))
    assert bed.counters.usage().closed_today


def test_two_processes_of_one_data_directory_count_together(bed: Bed) -> None:
    bed.counters.set_limits(replace(WIDE, per_day=30))
    other = bed.open()
    assert bed.sign(10) == "" and bed.sign(10, counters=other) == "" and bed.sign(10) == ""
    assert bed.sign(1, counters=other) == "per_day" and bed.sign(1) == "per_day"
    assert not other.usage().closed_today and other.usage().total == 30


def test_a_crash_before_the_mirror_is_not_an_older_state(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    bed.sign(10)

    def full(self: Mirror, at: Mirrored) -> Mirrored:
        raise StorageError("no room", code="disk_full")

    with monkeypatch.context() as broken:
        broken.setattr(Mirror, "write", full)
        for _ in range(3):
            with pytest.raises(StorageError):
                bed.sign(5)
    # It was counted once, and nothing more while the mirror could not be written.
    usage = bed.reopen().usage()
    assert usage.total == 15 and not usage.closed_today and usage.turn == 2


def test_our_own_signature_that_we_do_not_know_closes_the_lanes(bed: Bed) -> None:
    bed.sign(10)
    assert not bed.counters.seen(Voucher(PAYER, A, EPOCH, 10))
    assert not bed.counters.seen(Voucher(B, A, EPOCH, 100))
    assert not bed.counters.usage().closed_today
    assert bed.counters.seen(Voucher(PAYER, A, EPOCH, 45))
    usage = bed.reopen().usage()
    assert usage.closed_today and usage.total == 45 and usage.adrift == 0 and usage.epoch_floor > EPOCH
    bed.signed[A, EPOCH] = 45
    assert bed.sign(1) == "epoch_closed"
    # What was shown is out, on the reservation of its payee first.
    bed.clock.now += DAY
    bed.cover = Cover(2, balance=100, reserved=40, reservations={A: 40})
    assert bed.sign(56, B, epoch=usage.epoch_floor) == "beyond_deposit"
    assert bed.sign(55, B, epoch=usage.epoch_floor) == ""


def test_what_the_mirror_said_was_lost_explains_what_is_shown(bed: Bed) -> None:
    bed.sign(10)
    bed.copy("backup")
    bed.sign(25)
    floor = bed.put_back("backup").usage().epoch_floor
    bed.counters.reopen_day()
    assert bed.counters.seen(Voucher(PAYER, A, EPOCH, 35))
    usage = bed.reopen().usage()
    assert (usage.total, usage.adrift, usage.closed_today, usage.epoch_floor) == (35, 0, False, floor)
    # More than the mirror knows, or a signature in a lane that is open: somebody else signs.
    assert bed.counters.seen(Voucher(PAYER, B, EPOCH, 1))
    assert bed.counters.usage().closed_today and bed.counters.usage().total == 36


def test_a_clock_that_is_behind_opens_no_lane_that_was_signed(bed: Bed) -> None:
    bed.copy("backup")
    bed.sign(10)
    bed.clock.now -= 40 * DAY
    assert bed.put_back("backup").usage().epoch_floor > EPOCH


def test_totals_and_epochs_that_nobody_signs_are_survived(bed: Bed) -> None:
    assert not bed.counters.seen(Voucher(PAYER, A, (1 << 64) - 1, 1))
    assert bed.counters.seen(Voucher(PAYER, A, EPOCH, (1 << 128) - 1))
    assert bed.reopen().usage().closed_today


def test_from_words_nothing_is_free_until_no_stranger_signs(bed: Bed) -> None:
    bed.counters.begin_from_words()
    floor = bed.counters.usage().epoch_floor
    assert bed.sign(1, epoch=floor) == "day_closed"
    bed.clock.now += DAY
    bed.cover = Cover(5, balance=100, reserved=50, reservations={A: 50}, strangers=True)
    bed.counters.covered(bed.cover)
    assert bed.sign(1, B, epoch=floor) == "beyond_deposit"
    assert bed.sign(50, epoch=floor) == ""
    bed.cover = Cover(6, balance=100, reserved=50, reservations={A: 50})
    bed.counters.covered(bed.cover)
    assert bed.sign(50, B, epoch=floor) == ""


def test_a_day_is_opened_again_where_its_owner_says_so(bed: Bed) -> None:
    bed.counters.begin_from_words()
    floor = bed.counters.usage().epoch_floor
    assert bed.cover is not None
    bed.counters.covered(bed.cover)
    assert bed.sign(5, epoch=floor) == "day_closed"
    bed.counters.reopen_day()
    assert bed.sign(5, epoch=floor) == ""
    assert not bed.reopen().usage().closed_today


def test_a_clock_that_ran_ahead_is_forgotten_when_the_day_is_opened(bed: Bed) -> None:
    bed.counters.set_limits(replace(WIDE, per_day=10))
    bed.clock.now += 1000 * DAY
    assert bed.sign(10) == ""
    bed.clock.now = START
    assert bed.sign(1) == "per_day"
    bed.counters.reopen_day()
    assert bed.sign(10) == ""
    bed.clock.now += DAY
    assert bed.sign(10) == ""


# -- damage


@pytest.mark.parametrize("change", [
    "UPDATE lanes SET total=total-1", "DELETE FROM lanes", "UPDATE spent SET amount=0 WHERE kind='peer'",
    "DELETE FROM spent WHERE kind='torrent'", "UPDATE numbers SET value=value-1 WHERE name='total'",
    "PRAGMA user_version=9",
])
def test_a_file_that_contradicts_itself_signs_nothing(bed: Bed, change: str) -> None:
    bed.sign(10)
    bed.close()
    db = sqlite3.connect(bed.root / "data" / "wallet.db")
    db.execute(change)
    db.commit()
    db.close()
    for _ in range(2):
        with pytest.raises(StorageError) as caught:
            bed.reopen().usage()
        assert caught.value.code == "wallet_damaged"


@pytest.mark.parametrize("spoil", [
    lambda raw: b"no database" * 100, lambda raw: raw[:2000], lambda raw: raw[:4096] + bytes(8192)])
def test_a_file_that_is_damaged_signs_nothing_and_stays(bed: Bed, spoil: Callable[[bytes], bytes]) -> None:
    bed.sign(10)
    bed.close()
    path = bed.root / "data" / "wallet.db"
    spoilt = spoil(path.read_bytes())
    path.write_bytes(spoilt)
    with pytest.raises(StorageError):
        bed.reopen().usage()
    bed.close()
    assert path.read_bytes()[:50] == spoilt[:50]


def test_a_statement_that_fails_counts_nothing(bed: Bed) -> None:
    bed.sign(10)
    with bed.opened[0].change() as db:
        db.execute(
            "CREATE TRIGGER full BEFORE INSERT ON spent WHEN new.kind='torrent' BEGIN SELECT RAISE(FAIL, 'x'); END")
    with pytest.raises(StorageError):
        bed.sign(5)
    with bed.opened[0].change() as db:
        db.execute("DROP TRIGGER full")
    assert bed.counters.usage().total == 10
    bed.cover = Cover(1, balance=20, reserved=0)
    assert bed.sign(11) == "beyond_deposit" and bed.sign(10) == ""
