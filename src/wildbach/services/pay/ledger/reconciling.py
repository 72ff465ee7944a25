"""What the chain says of our money, beside what the ledger says: taken over where it is news, told where it is not so.

What others can do without us is news: a claim that somebody sends for us, TRX that arrives. What is less than the
ledger has cannot be explained by that, and is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wildbach.protocol.tron.address import Address
from wildbach.services.pay.ledger.store import Account, Ledger


@dataclass(frozen=True, slots=True)
class Moved:
    """A transaction of ours in a block that cannot be undone. `what`: deposit, withdraw, transfer or another call.
    `value`: SUN that went along; `fee`: burnt.
    """

    what: str
    txid: bytes
    at: int
    value: int
    fee: int
    to: Address | None
    succeeded: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """SUN, at one time: of our addresses, in the vault for us as payer, and redeemed there for us."""

    wallet: int
    deposit: int
    credit: int
    settled: bool
    "Nothing of ours is on its way: what is more on the wallet came from outside."


@dataclass(frozen=True, slots=True)
class Difference:
    account: Account
    ledger: int
    chain: int


def reconcile(ledger: Ledger, seen: Observed, moved: Sequence[Moved], at: int) -> list[Difference]:
    """Post what is new. What is left over is where the two do not agree. Blocks; raises StorageError."""
    for one in moved:
        if one.fee:
            ledger.post(one.at, "fee", Account.BURNT, Account.WALLET, one.fee, mark=one.txid)
        if one.succeeded and one.value:
            into = Account.DEPOSIT if one.what == "deposit" else Account.OUTSIDE
            ledger.post(one.at, one.what, into, Account.WALLET, one.value, party=one.to, mark=one.txid)
    books = ledger.balances()
    if seen.settled:
        if books[Account.CREDIT] > seen.credit:
            more = books[Account.CREDIT] - seen.credit
            ledger.post(at, "claimed", Account.WALLET, Account.CREDIT, more)
        if books[Account.DEPOSIT] > seen.deposit and any(one.what == "withdraw" and one.succeeded for one in moved):
            ledger.post(at, "withdrawn", Account.WALLET, Account.DEPOSIT, books[Account.DEPOSIT] - seen.deposit)
        if books[Account.DEPOSIT] < seen.deposit:
            # A wallet that is older than this ledger, or somebody who deposits from elsewhere.
            ledger.post(at, "found", Account.DEPOSIT, Account.OUTSIDE, seen.deposit - books[Account.DEPOSIT])
        books = ledger.balances()
        if books[Account.WALLET] < seen.wallet:
            ledger.post(at, "arrived", Account.WALLET, Account.OUTSIDE, seen.wallet - books[Account.WALLET])
        books = ledger.balances()
    found = {Account.WALLET: seen.wallet, Account.DEPOSIT: seen.deposit, Account.CREDIT: seen.credit}
    return [Difference(one, books[one], there) for one, there in found.items() if books[one] != there]
