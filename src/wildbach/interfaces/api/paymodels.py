"""What goes in and out of the Api about what is bought and sold. Amounts are SUN, prices SUN for a GiB, times seconds
since 1970.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from wildbach.interfaces.api.models import Model
from wildbach.interfaces.api.walletmodels import Sun

AddressMaybe = Annotated[str, Meta(max_length=100)]
Licence = Literal["", "mine", "licensed", "public_domain"]


class PayMark(Model, frozen=True):
    """Whether a torrent may be bought and sold, and why that is right."""

    licence: Licence
    "Empty: it may not."


class PayTorrent(Model, frozen=True):
    key: str
    name: str
    licence: Licence


class PaySale(Model, frozen=True):
    """A peer that buys, or could."""

    key: str
    name: str
    peer: str
    payer: str
    "Empty while it has taken no offer."
    metering: bool
    "What it gets now is paid."
    why: str
    "Why it is not, in plain words."
    price: int
    billed: int
    "Bytes, over all connections and torrents of this payer, as are the next four."
    paid: int
    held: int
    "Of it in vouchers that were not redeemed."
    owed: int
    window: int
    "Bytes that may be owed."


class PayPurchase(Model, frozen=True):
    """A peer that sells."""

    key: str
    name: str
    peer: str
    payee: str
    "Empty while no offer was taken."
    metering: bool
    why: str
    price: int
    bought: int
    "Bytes of this payee that proved right, over all connections and torrents, as is the next."
    signed: int
    reserved: bool
    "The vault has a reservation for this payee, as far as that was asked."


class PayFlows(Model, frozen=True):
    """What came and went in a time."""

    earned: int
    bought: int
    given: int
    burnt: int


class PayDeposit(Model, frozen=True):
    """What the wallet has in the vault."""

    balance: int
    reserved: int
    asked: int
    "A withdrawal that was asked for."
    ready_at: int
    "When it can be fetched; 0 where none was asked for."
    signer: bool
    "The key that signs vouchers is registered."


class PayDifference(Model, frozen=True):
    account: str
    ledger: int
    chain: int


class PayStatus(Model, frozen=True, kw_only=True):
    """What is bought and sold."""

    sell: bool
    buy: bool
    price: int
    most: int
    open: bool
    "Peers that can are told."
    problem: str
    "Why it is not open though it should be."
    code: str
    vault: str
    delay: int
    "Seconds that the vault gives to redeem in before money leaves it."
    deposit: PayDeposit | None = None
    sales: tuple[PaySale, ...] = ()
    purchases: tuple[PayPurchase, ...] = ()
    held: int = 0
    "In vouchers of others that were not redeemed, as far as the vault has it for them: that was asked last."
    uncovered: int = 0
    """In such vouchers beyond that: their payers have not so much there, or nobody was asked yet. It is counted as
    earned nowhere.
    """
    lanes: int = 0
    "Payers and payees of which they are."
    credit: int = 0
    "Redeemed, and not fetched."
    fee: int = 0
    "What it costs to redeem and fetch the first time, as far as energy is not staked."
    too_small: bool = False
    "There is something to redeem, and none of it is worth that."
    unattended: bool = False
    "A fee key redeems by itself."
    refused: str = ""
    "Why the wallet signed nothing last."
    today: PayFlows | None = None
    month: PayFlows | None = None
    ever: PayFlows | None = None
    paid_rate: int = 0
    "Bytes a second of downloads while something was paid, measured since the start; 0: not yet."
    free_rate: int = 0
    "And while nothing was."
    torrents: tuple[PayTorrent, ...] = ()
    "Those that are marked; 1,000 at most."
    differences: tuple[PayDifference, ...] = ()
    "Where ledger and chain do not agree."


class PayOrder(Model, frozen=True):
    """Something that the cold key is to do at the vault."""

    action: Literal[
        "deposit", "add_signer", "remove_signer", "reserve", "release", "ask_back", "withdraw", "waive", "redeem",
        "claim", "deploy_vault"]
    amount: Sun = 0
    "Of deposit, reserve and ask_back (0 takes that back)."
    who: AddressMaybe = ""
    "The payee of reserve and release, the payer of waive, the key of remove_signer."
    days: Annotated[int, Meta(ge=0, le=366)] = 30
    "From now, of reserve."
    delay: Annotated[int, Meta(ge=0, le=60 * 86400)] = 7 * 86400
    "Seconds, of deploy_vault."


class PaySponsoring(Model, frozen=True):
    """What a seeder is to be paid for."""

    key: str
    "Of a torrent of v2 that is here."
    payee: Annotated[str, Meta(min_length=1, max_length=100)]
    host: Annotated[str, Meta(min_length=1, max_length=45)]
    "The address at which he is looked at."
    port: Annotated[int, Meta(ge=1, le=65_535)]
    rate: Annotated[int, Meta(ge=1)]
    "Bytes a second that a stranger gets."
    price: Annotated[int, Meta(ge=1)]
    "SUN for a period."
    periods: Annotated[int, Meta(ge=1)]
    period: Annotated[int, Meta(ge=1)] = 86_400
    "Seconds."
    probes: Annotated[int, Meta(ge=1)] = 8
    "In a period, at random times."
    instead_of: Annotated[int, Meta(ge=0)] = 0
    "The number of an agreement that ends when this one begins, and not before; 0 for none."


class PaySponsored(Model, frozen=True):
    """A seeder who is paid by the period."""

    id: int
    key: str
    name: str
    payee: str
    peer: str
    rate: int
    price: int
    period: int
    periods: int
    probes: int
    begins: int
    now: int
    "The number of the period that runs, from 0 on; -1 before it begins."
    made: int
    "Probes of it so far,"
    passed: int
    "and those that passed."
    good: int
    "Periods that are paid,"
    bad: int
    "that failed,"
    unseen: int
    "and in which no probe was made: nothing is known of them, and nothing is paid."
    paid: int
    "SUN."
    reserved: int
    over: bool
    came: str
    "What became of the newest voucher."


class PaySponsoredList(Model, frozen=True):
    items: tuple[PaySponsored, ...]


class PayPeriod(Model, frozen=True):
    """A period of a seeder who is paid."""

    number: int
    "From 0 on."
    begins: int
    probes: int
    "Those that ended in it,"
    passed: int
    "and those that passed."
    state: Literal["passed", "failed", "unseen", "running", "ended"]
    "`unseen`: no probe was made, so nothing is paid; `ended`: it ran when the agreement was ended, and is not paid."
    paid: bool
    "A voucher for it was signed."


class PayPeriods(Model, frozen=True):
    items: tuple[PayPeriod, ...]
    "The oldest first; the last hundred at most, and as far back as probes are read."


class PayProbe(Model, frozen=True):
    """What a probe found."""

    at: int
    period: int
    why: str
    size: int
    "Bytes."
    rate: int


class PayProbes(Model, frozen=True):
    items: tuple[PayProbe, ...]
    "The newest first."


class PaySeedingWanted(Model, frozen=True):
    """What a sponsor and we agreed on, from now on."""

    payer: Annotated[str, Meta(min_length=1, max_length=100)]
    "His address."
    price: Annotated[int, Meta(ge=1)]
    "SUN for a period."
    periods: Annotated[int, Meta(ge=1)]
    period: Annotated[int, Meta(ge=1)] = 86_400
    "Seconds."


class PaySeeding(Model, frozen=True):
    """A torrent that somebody pays us to seed."""

    key: str
    name: str
    payer: str
    price: int
    period: int
    periods: int
    begins: int
    now: int
    "The number of the period that runs, from 0 on; as many as there are once the last is over."
    reserved: int
    "What the vault has for us of this payer,"
    until: int
    "and until when."
    backing: Literal["unknown", "nothing", "too_little", "too_short", "covered", "over"]
    "What that is beside what was agreed. Vouchers are taken from when it was `covered`."
    came: int
    "SUN in vouchers of this payer, in all."


class PaySeedings(Model, frozen=True):
    items: tuple[PaySeeding, ...]


class PayRow(Model, frozen=True):
    """A row of the ledger."""

    number: int
    at: int
    what: str
    debit: str
    credit: str
    amount: int
    party: str
    torrent: str
    "The info hash, in hex."


class PayRowsQuery(Model, frozen=True):
    before: Annotated[int, Meta(ge=0)] = 0
    "Those older than this number; 0: the newest."
    limit: Annotated[int, Meta(ge=1, le=1000)] = 50


class PayRows(Model, frozen=True):
    rows: tuple[PayRow, ...]
    balances: dict[str, int]
    "Of all accounts."
