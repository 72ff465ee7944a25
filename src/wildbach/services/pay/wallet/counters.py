"""What was signed so far: counted durably, here and in the mirror outside the data directory, before a signature
leaves.

Order of a step: one transaction of the store, then the mirror, then the signature. So a crash counts what nobody has
got, and never the other way round. Where the store is older than the mirror, has none, or is shown a signature it does
not know, somebody put back an older state: lanes that began before are closed, today counts as spent, and what the
mirror knows more is spent in all and cannot be free any more.
"""

from __future__ import annotations

import contextlib
import functools
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Concatenate, Final, ParamSpec, TypeVar

from wildbach.base import limits
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.typed import Voucher
from wildbach.services.pay.wallet import policy
from wildbach.services.pay.wallet.mirror import Mirror, Mirrored
from wildbach.services.pay.wallet.policy import Cover, Refused, Share, SpendingLimits, Spent, Wanted
from wildbach.services.pay.wallet.store import Numbers, WalletStore

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

_DAY: Final = 86_400
_CLOSED: Final = "closed_day"
_OPEN_SENDS: Final = ("prepared", "pending")


@dataclass(frozen=True, slots=True)
class Usage:
    """What of the limits is used."""

    today: int
    total: int
    fees_today: int
    closed_today: bool
    epoch_floor: int
    adrift: int
    "SUN signed by a state of the wallet that is lost: they are not free any more."
    turn: int


@dataclass(slots=True)
class _Sums:
    """What is out and not redeemed, after one turn and under one cover."""

    turn: int
    cover: Cover | None
    outstanding: dict[Address, int]
    beyond: int
    lanes: int

    def grow(self, payee: Address, more: int) -> None:
        reservation = _reserved(self.cover, payee)
        before = self.outstanding.get(payee, 0)
        self.outstanding[payee] = before + more
        self.beyond += max(0, before + more - reservation) - max(0, before - reservation)


def _alone(
    method: Callable[Concatenate[Counters, Arguments], Answer],
) -> Callable[Concatenate[Counters, Arguments], Answer]:
    """One thread at a time, from what is read to what the mirror says."""
    @functools.wraps(method)
    def call(counters: Counters, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        with counters.lock:
            return method(counters, *args, **kwargs)

    return call


class Counters:
    """Of one paying address. `wall`: seconds since 1970. Blocks; raises StorageError. A mirror that cannot be written
    ends signing until it can.
    """

    def __init__(self, store: WalletStore, mirror: Mirror, payer: Address, wall: Callable[[], float]) -> None:
        self._store = store
        self._mirror = mirror
        self._payer = payer
        self._wall = wall
        self._checked = False
        self._sums: _Sums | None = None
        self.lock = threading.RLock()

    # -- limits

    def limits(self) -> SpendingLimits:
        with self._look() as (_, numbers):
            return _limits(numbers)

    def set_limits(self, to: SpendingLimits) -> None:
        """Whoever calls has asked for the passphrase where `to` loosens what there is."""
        with self._change() as (_, numbers):
            for one in fields(to):
                numbers.put(f"limit.{one.name}", getattr(to, one.name))

    @_alone
    def usage(self) -> Usage:
        self._check()
        with self._look() as (_, numbers):
            day, today, fees = self._day(numbers)
            return Usage(
                today, numbers.get("total"), fees, numbers.get(_CLOSED) >= day, numbers.get("floor"),
                numbers.get("adrift"), numbers.get("turn"))

    # -- steps

    @_alone
    def count(self, wanted: Sequence[Wanted], cover: Cover | None) -> list[Refused | None]:
        """Count vouchers that are about to be signed: for each why not, or None. Those that are counted may be signed
        when this returns, and not before. Raises Refused, code `restored`, where another copy of the wallet counts too.
        """
        self._check()
        answers: list[Refused | None] = []
        with self._change() as (db, numbers):
            self._roll(numbers)
            allowed = _limits(numbers)
            sums = self._sum(db, numbers, cover)
            self._sums = None  # until what is counted is committed
            counted = 0
            for one in wanted:
                try:
                    counted += self._count(db, numbers, allowed, one, sums)
                    answers.append(None)
                except Refused as refused:
                    answers.append(refused)
            if counted:
                sums.turn = _turn(numbers)
            ours = _ours(numbers)
        self._sums = sums
        if counted:
            self._reflect(ours)
        return answers

    def _count(
        self, db: sqlite3.Connection, numbers: Numbers, allowed: SpendingLimits, wanted: Wanted, sums: _Sums,
    ) -> bool:
        payee, epoch = wanted.voucher.payee, wanted.voucher.epoch
        spent = self._spent(db, numbers, wanted, sums)
        more = policy.added(wanted, spent)
        if not more and spent.lane:
            return False
        policy.check(allowed, wanted, spent)
        db.execute("INSERT OR REPLACE INTO lanes VALUES (?,?,?)", (payee.raw, epoch, wanted.voucher.cumulative))
        sent = {("peer", payee.raw): spent.peer + more}
        for share in wanted.shares:
            key = "torrent", share.torrent
            sent[key] = sent.get(key, spent.torrents[share.torrent]) + share.amount
        _put(db, sent)
        numbers.put("epoch", max(numbers.get("epoch"), epoch))
        numbers.put("total", spent.total + more)
        numbers.put("day_spent", spent.today + more)
        sums.grow(payee, more)
        sums.lanes += spent.lane == 0
        return True

    @_alone
    def check_accept(self, payee: Address, price: int, cover: Cover | None) -> None:
        """Whether an offer may be accepted. Raises Refused where nothing of it could be paid. Looks at the mirror:
        another copy that has signed meanwhile is noticed before anything is agreed.
        """
        self._checked = False
        self._check()
        probe = Wanted(Voucher(self._payer, payee, policy.LAST_EPOCH, 1), (Share(b"", 1, price),))
        with self._look() as (db, numbers):
            self._sums = self._sum(db, numbers, cover)
            policy.check(_limits(numbers), probe, self._spent(db, numbers, probe, self._sums))

    @_alone
    def count_fee(self, most: int) -> None:
        """Count what the fee key is about to burn at most, in SUN. Raises Refused."""
        self._check()
        with self._change() as (_, numbers):
            self._roll(numbers)
            day, _, fees = self._day(numbers)
            allowed = _limits(numbers).fees_per_day
            if numbers.get(_CLOSED) >= day or fees + most > allowed:
                raise Refused(
                    "fees_per_day", f"fees of today would be {fees + most} SUN of {allowed}", now=fees + most,
                    most=allowed)
            numbers.put("day_fees", fees + most)
            _turn(numbers)
            ours = _ours(numbers)
        self._reflect(ours)

    # -- older states that were put back

    @_alone
    def seen(self, voucher: Voucher) -> bool:
        """A voucher with our own signature was shown to us; whether we did not know of it, and so were restored.

        It is counted in its lane. What is adrift explains it, as far as it goes; what is beyond that, or in a lane that
        is not closed, closes the lanes and the day.
        """
        self._check()
        if voucher.payer != self._payer or voucher.epoch > policy.LAST_EPOCH:
            return False
        total = min(voucher.cumulative, limits.WALLET_AMOUNT)
        with self._change() as (db, numbers):
            more = total - _lane(db, voucher.payee, voucher.epoch)
            if more <= 0:
                return False
            explained = min(more, numbers.get("adrift"), numbers.get("lost"))
            for name, change in (("adrift", -explained), ("lost", -explained), ("total", more - explained)):
                numbers.put(name, numbers.get(name) + change)
            db.execute("INSERT OR REPLACE INTO lanes VALUES (?,?,?)", (voucher.payee.raw, voucher.epoch, total))
            numbers.put("epoch", max(numbers.get("epoch"), voucher.epoch))
            _add(db, "peer", voucher.payee.raw, more)
            _add(db, "torrent", b"", more)
            _turn(numbers)
            news = more > explained or voucher.epoch >= numbers.get("floor")
            ours = _ours(numbers)
        if news:
            self._restored(self._mirror.read())
        else:
            self._reflect(ours)
        return True

    @_alone
    def begin_from_words(self) -> None:
        """The wallet was made of words or of a key that were used before, maybe: vouchers that nobody remembers may be
        out. Until no stranger signs for us any more nothing that is unreserved is free.
        """
        with self._change() as (_, numbers):
            numbers.put("unremembered", 1)
        self._restored(self._mirror.read())

    @_alone
    def reopen_day(self) -> None:
        """Whoever calls has asked for the passphrase: today is not spent after all, and a clock that ran ahead is
        forgotten.
        """
        self._check()
        with self._change() as (_, numbers):
            for name in (_CLOSED, "day", "day_spent", "day_fees"):
                numbers.put(name, 0)
            _turn(numbers)
            ours = _ours(numbers)
        self._reflect(ours)

    @_alone
    def forget_adrift(self) -> None:
        """Whoever calls has asked for the passphrase: what a lost state signed is redeemed, or its signer is gone."""
        with self._change() as (_, numbers):
            numbers.put("adrift", 0)

    @_alone
    def covered(self, cover: Cover) -> None:
        """A newer state of the vault is known. It pays for signatures of ours alone: where it paid more of a lane than
        was signed here, another copy of the wallet signs. And where no stranger signs for us any more, what was
        forgotten is void.
        """
        with self._store.look() as db:
            more = [
                Voucher(self._payer, payee, epoch, min(paid, limits.WALLET_AMOUNT))
                for (payee, epoch), paid in cover.paid.items() if paid > _lane(db, payee, epoch)]
        for one in more:
            self.seen(one)
        if cover.strangers:
            return
        with self._look() as (_, numbers):
            if not numbers.get("unremembered"):
                return
        with self._change() as (_, numbers):
            numbers.put("unremembered", 0)

    def _check(self) -> None:
        if self._checked:
            return
        with self._look() as (db, numbers):
            ours = _ours(numbers)
            kept = ours.total - numbers.get("lost")
            for query in (
                "SELECT coalesce(sum(total), 0) FROM lanes",
                "SELECT coalesce(sum(amount), 0) FROM spent WHERE kind='peer'",
                "SELECT coalesce(sum(amount), 0) FROM spent WHERE kind='torrent'",
            ):
                if db.execute(query).fetchone()[0] != kept:
                    raise self._store.damaged("its sums do not agree")
        there = self._mirror.read()
        if (there is None and ours.turn) or (there is not None and there.turn >= ours.turn and there != ours):
            self._restored(there)
            return
        self._mirror.write(ours)
        self._checked = True

    def _restored(self, there: Mirrored | None) -> None:
        now = self._wall()
        with self._change() as (_, numbers):
            ours = _ours(numbers)
            lost = max(0, there.total - ours.total) if there is not None else 0
            for name in ("lost", "adrift", "total"):
                numbers.put(name, numbers.get(name) + lost)
            # Above all that was ever signed, whatever the clock says.
            last = max(numbers.get("floor"), ours.epoch, there.epoch if there is not None else 0)
            numbers.put("floor", max(int(now * 1000), last + 1))
            numbers.put("epoch", last)
            self._roll(numbers)
            day = max(numbers.get("day"), there.day if there is not None else 0)
            numbers.put("day", day)
            numbers.put(_CLOSED, day)
            numbers.put("turn", max(ours.turn, there.turn if there is not None else 0))
            _turn(numbers)
            ours = _ours(numbers)
        self._mirror.write(ours)
        self._checked = True

    def _reflect(self, ours: Mirrored) -> None:
        """`ours`: as it was committed."""
        self._checked = False
        there = self._mirror.write(ours)
        if there == ours:
            self._checked = True
            return
        # Another process of this data directory has gone on, or another copy of it.
        before = self._floor()
        self._check()
        if self._floor() != before:
            raise Refused(
                "restored", "another copy of this wallet signs too: this one pays nothing today. Let one of them pay")

    def _floor(self) -> int:
        with self._look() as (_, numbers):
            return numbers.get("floor")

    # -- the numbers

    @contextlib.contextmanager
    def _look(self) -> Iterator[tuple[sqlite3.Connection, Numbers]]:
        with self._store.look() as db:
            yield db, Numbers(db)

    @contextlib.contextmanager
    def _change(self) -> Iterator[tuple[sqlite3.Connection, Numbers]]:
        with self._store.change() as db:
            numbers = Numbers(db)
            yield db, numbers
            numbers.write()

    def _day(self, numbers: Numbers) -> tuple[int, int, int]:
        """Days since 1970, what of it is spent, and its fees. A clock that goes back begins no new day."""
        day = numbers.get("day")
        today = int(self._wall() // _DAY)
        return (today, 0, 0) if today > day else (day, numbers.get("day_spent"), numbers.get("day_fees"))

    def _roll(self, numbers: Numbers) -> None:
        day, spent, fees = self._day(numbers)
        if day != numbers.get("day"):
            for name, value in (("day", day), ("day_spent", spent), ("day_fees", fees)):
                numbers.put(name, value)

    def _spent(self, db: sqlite3.Connection, numbers: Numbers, wanted: Wanted, sums: _Sums) -> Spent:
        voucher, cover = wanted.voucher, sums.cover
        day, today, _ = self._day(numbers)
        free = 0
        if cover is not None and not numbers.get("unremembered"):
            free = max(0, cover.free - _held(db, cover.block))
        return Spent(
            lane=_lane(db, voucher.payee, voucher.epoch), peer=_amount(db, "peer", voucher.payee.raw),
            torrents={one.torrent: _amount(db, "torrent", one.torrent) for one in wanted.shares}, today=today,
            total=numbers.get("total"), closed_today=numbers.get(_CLOSED) >= day, epoch_floor=numbers.get("floor"),
            lanes=sums.lanes, adrift=numbers.get("adrift"), beyond=sums.beyond,
            own_outstanding=sums.outstanding.get(voucher.payee, 0), reservation=_reserved(cover, voucher.payee),
            free=free,
        )

    def _sum(self, db: sqlite3.Connection, numbers: Numbers, cover: Cover | None) -> _Sums:
        turn = numbers.get("turn")
        if self._sums is not None and self._sums.turn == turn and self._sums.cover is cover:
            return self._sums
        sums = _Sums(turn, cover, {}, 0, 0)
        paid = cover.paid if cover is not None else {}
        for raw, epoch, total in db.execute("SELECT payee, epoch, total FROM lanes"):
            payee = Address(raw)
            sums.lanes += 1
            sums.grow(payee, max(0, total - paid.get((payee, epoch), 0)))
        return sums


def _limits(numbers: Numbers) -> SpendingLimits:
    return SpendingLimits(**{one.name: numbers.get(f"limit.{one.name}") for one in fields(SpendingLimits)})


def _ours(numbers: Numbers) -> Mirrored:
    return Mirrored(*(numbers.get(name) for name in ("turn", "total", "day", "nonce", "epoch")))


def _turn(numbers: Numbers) -> int:
    """The next turn. Its number is random too: two copies that go on differ."""
    turn = numbers.get("turn") + 1
    numbers.put("turn", turn)
    numbers.put("nonce", secrets.randbits(59))
    return turn


def _lane(db: sqlite3.Connection, payee: Address, epoch: int) -> int:
    if epoch > policy.LAST_EPOCH:
        return 0
    row = db.execute("SELECT total FROM lanes WHERE payee=? AND epoch=?", (payee.raw, epoch)).fetchone()
    return 0 if row is None else int(row[0])


def _amount(db: sqlite3.Connection, kind: str, id_: bytes) -> int:
    row = db.execute("SELECT amount FROM spent WHERE kind=? AND id=?", (kind, id_)).fetchone()
    return 0 if row is None else int(row[0])


def _add(db: sqlite3.Connection, kind: str, id_: bytes, more: int) -> None:
    db.execute("INSERT OR REPLACE INTO spent VALUES (?,?,?)", (kind, id_, _amount(db, kind, id_) + more))


def _put(db: sqlite3.Connection, spent: Mapping[tuple[str, bytes], int]) -> None:
    rows = ",".join("(?,?,?)" for _ in spent)
    values = [value for (kind, id_), amount in spent.items() for value in (kind, id_, amount)]
    db.execute(f"INSERT OR REPLACE INTO spent VALUES {rows}", values)


def _held(db: sqlite3.Connection, block: int) -> int:
    """What transactions of our own take out of the free balance, of which the cover does not know yet."""
    (held,) = db.execute(
        "SELECT coalesce(sum(hold), 0) FROM sends WHERE state IN (?,?) OR (state='confirmed' AND block > ?)",
        (*_OPEN_SENDS, block)).fetchone()
    return int(held)


def _reserved(cover: Cover | None, payee: Address) -> int:
    return cover.reservations.get(payee, 0) if cover is not None else 0
