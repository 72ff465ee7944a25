"""Who is paid for seeding, when it is looked at, and what each period has earned: state, without files and clocks.

A period is paid as a whole, once, when four fifths of the probes that were made in it passed. Nobody is paid above what
is reserved for him. What changes is to be stored before it is acted on: `advance`, `begin`, `probed`, `pay` and `paid`
say what that is, and after a crash the stored state goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from wildbach.base import limits
from wildbach.base.addresses import neighbourhood, parse
from wildbach.base.errors import UsageError
from wildbach.base.ids import Endpoint
from wildbach.protocol.tron.address import Address
from wildbach.runtime.rng import Rng

SHARE: Final = 80
"Percent of the probes of a period that have to pass."
MARGIN: Final = 300
"Seconds before the end of a period in which no probe begins, so that each ends in its own."
LEAST_PERIOD: Final = 1200
LONGEST_PERIOD: Final = 31 * 86_400
_LATE: Final = 120
"Seconds after which a probe is not made up for: a time that is known is no random one."


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a seeder is paid for. `torrent`: 32 bytes, the info hash of v2. `rate`: bytes a second that a stranger gets.
    `price`: SUN for a period of `period` seconds, `periods` of them from `begins` on (seconds since 1970), with
    `probes` in each. `reserved`: SUN that the vault has for the payee.
    """

    id: int
    torrent: bytes
    payee: Address
    endpoint: Endpoint
    rate: int
    price: int
    period: int
    periods: int
    probes: int
    begins: int
    reserved: int

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("rate", self.rate, 1, 1 << 40), ("price", self.price, 1, limits.WALLET_AMOUNT),
            ("period", self.period, LEAST_PERIOD, LONGEST_PERIOD),
            ("periods", self.periods, 1, limits.SPONSORED_PERIODS),
            ("probes", self.probes, 1, limits.SPONSORED_PROBES), ("reserved", self.reserved, 1, limits.WALLET_AMOUNT),
            ("begins", self.begins, 0, 1 << 40), ("port", self.endpoint.port, 1, 65_535),
        ):
            if not least <= value <= most:
                raise UsageError(f"{name} is {least} to {most}", code="bad_agreement", name=name)
        if len(self.torrent) != 32:
            raise UsageError("only torrents of v2 can be sponsored: their blocks can be proven", code="bad_agreement")
        if self.price * self.periods > self.reserved:
            raise UsageError(
                f"{self.periods} periods cost {self.price * self.periods} SUN, and {self.reserved} are reserved",
                code="above_reservation")
        network_of(self.endpoint)

    def begins_at(self, period: int) -> int:
        return self.begins + period * self.period


def network_of(endpoint: Endpoint) -> str:
    """Its /24, or its /48 of IPv6. Raises UsageError for a name."""
    if parse(endpoint.host) is None:
        raise UsageError("an endpoint is an address and a port", code="bad_agreement", name="endpoint")
    return neighbourhood(endpoint.host)


@dataclass(slots=True)
class Running:
    """An agreement and how far it is. `period`: the one that is looked at now, -1 before the first."""

    agreement: Agreement
    period: int = -1
    times: list[int] = field(default_factory=list)
    "When probes of it begin, ascending; those that began are gone."
    made: int = 0
    "Probes of it that ended,"
    passed: int = 0
    "and of these the good ones."
    earned: int = 0
    "SUN of all periods that passed."
    paid: int = 0
    "SUN that were signed for."
    paying: int = 0
    "What `paid` will be once the payment is made that is under way; 0 for none."
    good: int = 0
    "Periods that passed,"
    bad: int = 0
    "failed,"
    unseen: int = 0
    "and those in which no probe was made: nothing is known of them, and nothing is paid."
    stopped: bool = False

    @property
    def over(self) -> bool:
        """No probe comes any more."""
        return self.stopped or self.period >= self.agreement.periods

    @property
    def owed(self) -> int:
        """SUN that are earned and not signed for."""
        return min(self.earned, self.agreement.reserved) - self.paid


@dataclass(frozen=True, slots=True)
class Look:
    """A probe that is to begin. `at`: seconds since 1970 for which it was drawn."""

    id: int
    period: int
    at: int


@dataclass(frozen=True, slots=True)
class Payment:
    """To be signed once. `total`: what is paid of the agreement then, so that the same payment has the same mark."""

    id: int
    payee: Address
    torrent: bytes
    amount: int
    total: int

    def mark(self, salt: bytes) -> bytes:
        """32 bytes that name it. `salt`: of the state the agreement is in, as numbers begin anew in another."""
        return hashlib.sha256(b"period" + salt + self.id.to_bytes(8, "big") + self.total.to_bytes(16, "big")).digest()


def passes(made: int, passed: int) -> bool:
    return made > 0 and 100 * passed >= SHARE * made


class Sponsoring:
    """`one_per_network`: of each torrent, one seeder for a /24 or /48 at a time."""

    def __init__(self, rng: Rng, running: Iterable[Running] = (), *, one_per_network: bool = True) -> None:
        self._rng = rng
        self.running: dict[int, Running] = {one.agreement.id: one for one in running}
        self.one_per_network = one_per_network

    def new_id(self) -> int:
        return max(self.running, default=0) + 1

    def admit(self, agreement: Agreement, instead_of: int = 0) -> Running:
        """To be stored, and with it the one whose place it takes, which ends. Raises UsageError."""
        self.check(agreement, instead_of)
        if instead_of:
            self.stop(instead_of)
        found = self.running[agreement.id] = Running(agreement)
        return found

    def check(self, agreement: Agreement, instead_of: int = 0) -> None:
        """Raises UsageError where it cannot be admitted. `instead_of`: the agreement that is to end with it, 0 for
        none.
        """
        if instead_of and instead_of not in self.running:
            raise UsageError("there is no such agreement", code="no_such_agreement")
        live = [one for one in self.running.values() if not one.over and one.agreement.id != instead_of]
        if agreement.id in self.running:
            raise UsageError("there is an agreement of this number", code="bad_agreement", name="id")
        if len(live) >= limits.SPONSORED:
            raise UsageError("limits.SPONSORED seeders are paid", code="too_many")
        for one in live:
            if one.agreement.torrent != agreement.torrent:
                continue
            if one.agreement.endpoint == agreement.endpoint:
                raise UsageError("this seeder is paid for this torrent already", code="sponsored")
            if self.one_per_network and network_of(one.agreement.endpoint) == network_of(agreement.endpoint):
                raise UsageError(
                    f"a seeder in {network_of(agreement.endpoint)} is paid for this torrent already",
                    code="network_taken")
        for one in self.running.values():
            over = one.over or one.agreement.id == instead_of
            if one.agreement.payee == agreement.payee and (not over or one.owed or one.paying):
                raise UsageError(
                    "what is reserved for this payee is for another agreement", code="payee_taken")

    def stop(self, id_: int) -> Running:
        """The period that runs is not paid; what is earned is. Raises UsageError. To be stored."""
        found = self.running.get(id_)
        if found is None:
            raise UsageError("there is no such agreement", code="no_such_agreement")
        found.stopped, found.times = True, []
        return found

    def advance(self, now: int) -> list[Running]:
        """Judge periods that ended, and draw times for those that begin. Which changed: to be stored. A clock that goes
        back changes nothing.
        """
        return [one for one in self.running.values() if not one.over and self._advance(one, now)]

    def _advance(self, one: Running, now: int) -> bool:
        agreement, before = one.agreement, one.period
        at = min((now - agreement.begins) // agreement.period, agreement.periods)
        if at <= before or at < 0:
            return False
        if before >= 0:
            self._judge(one)
        # Of what lies between nothing was seen.
        one.unseen += at - before - 1
        one.period, one.times, one.made, one.passed = at, [], 0, 0
        if not one.over:
            begin = agreement.begins_at(at)
            one.times = sorted(
                self._rng.randrange(begin, begin + agreement.period - MARGIN) for _ in range(agreement.probes))
        return True

    def _judge(self, one: Running) -> None:
        if passes(one.made, one.passed):
            one.good += 1
            one.earned += one.agreement.price
        elif one.made:
            one.bad += 1
        else:
            one.unseen += 1

    def due(self, now: int) -> list[Look]:
        """Probes whose time has come. Those of long ago are skipped by `begin`."""
        return [
            Look(one.agreement.id, one.period, at) for one in self.running.values() if not one.over
            for at in one.times if at <= now]

    def begin(self, look: Look, now: int) -> bool:
        """Take it out; to be stored before it is made, so that a crash costs a probe and gives nobody two. False where
        it is not to be made any more.
        """
        one = self.running[look.id]
        if one.over or one.period != look.period or look.at not in one.times:
            return False
        one.times.remove(look.at)
        return now - look.at <= _LATE

    def probed(self, look: Look, good: bool) -> Running | None:
        """It has ended. None where its period was judged before; else what is to be stored."""
        one = self.running[look.id]
        if one.over or one.period != look.period:
            return None
        one.made += 1
        one.passed += good
        return one

    def next_at(self) -> int | None:
        """When something is to be done next, seconds since 1970; None for never."""
        found = [
            one.times[0] if one.times else one.agreement.begins_at(one.period + 1)
            for one in self.running.values() if not one.over]
        return min(found, default=None)

    # -- money

    def pay(self, id_: int) -> Payment | None:
        """What is to be signed now, to be stored (`paying`) before it is: the one that was under way when a crash came
        is the same one again.
        """
        one = self.running[id_]
        if not one.paying:
            if one.owed <= 0:
                return None
            one.paying = one.paid + one.owed
        return Payment(id_, one.agreement.payee, one.agreement.torrent, one.paying - one.paid, one.paying)

    def paid(self, payment: Payment) -> Running:
        """It is signed and counted. To be stored."""
        one = self.running[payment.id]
        if one.paying == payment.total:
            one.paid, one.paying = payment.total, 0
        return one
