"""The wallet of a data directory: one address that pays, its keys, its limits, and what it sends.

Its cold key is open for as long as one question takes. Everything that leaves it, and every limit that is loosened,
asks the passphrase; what is signed is what was shown.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import NetworkError, StorageError, UsageError
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address, BadAddress
from wildbach.protocol.tron.keys import BadKey, SecretKey
from wildbach.protocol.tron.transaction import RawTransaction, Transfer, TriggerContract
from wildbach.protocol.tron.typed import Domain
from wildbach.runtime.workers import Threads
from wildbach.services.pay.wallet import export, keystore, orders
from wildbach.services.pay.wallet.book import Book, Caution
from wildbach.services.pay.wallet.counters import Counters, Usage
from wildbach.services.pay.wallet.derivation import cold_key
from wildbach.services.pay.wallet.fees import estimate
from wildbach.services.pay.wallet.files import WalletFolder
from wildbach.services.pay.wallet.mirror import Mirror
from wildbach.services.pay.wallet.orders import Order, Quote
from wildbach.services.pay.wallet.phrase import Phrase
from wildbach.services.pay.wallet.policy import SpendingLimits
from wildbach.services.pay.wallet.seams import Chain, ChainAccount, ChainReference
from wildbach.services.pay.wallet.secret import Passphrase
from wildbach.services.pay.wallet.sending import Send, Sends, Signed, check_same
from wildbach.services.pay.wallet.signer import FeeSigner, HotSigner, checked
from wildbach.services.pay.wallet.store import WalletStore, number, put_number

_COLD: Final = "cold.json"
_WATCHED: Final = "watched"
_SHOWN: Final = 600.0
"Seconds for which a quote holds."


def is_there(folder: Path) -> bool:
    """Whether a wallet is in a folder. Blocks."""
    return any((folder / one).exists() for one in (_COLD, _WATCHED))


@dataclass(frozen=True, slots=True)
class Facts:
    """`kind`: words, key or watched."""

    kind: str
    address: Address
    device: int
    signer: Address | None
    "The hot signer."
    fee: Address | None
    "The fee key's address: it needs a few TRX."
    mine: tuple[Address, ...]
    "All signers that were ever of this wallet."


@dataclass(slots=True)
class _Open:
    facts: Facts
    store: WalletStore
    counters: Counters
    sends: Sends
    book: Book


class Wallet:
    """On one chain: what was signed and sent is kept for each by itself, and so are the keys without a passphrase.
    `chain_id`: 32 bits, of the first block; `play`: a chain for development, whose coins are worth nothing.
    `folder`: of the wallet, in the data directory. `mirrors`: outside it. `wall`: seconds since 1970. `skew`:
    seconds that a chain's clock may be away from ours; None where it is moved by hand. Raises UsageError, StorageError.
    """

    def __init__(
        self, folder: Path, mirrors: Path, chain_id: int, threads: Threads, wall: Callable[[], float], *,
        play: bool = False, skew: float | None = 3600.0,
    ) -> None:
        self._folder = WalletFolder(folder)
        self._mirrors = mirrors
        self._threads = threads
        self._wall = wall
        self._skew = skew
        self._chain_id = chain_id
        self._play = play
        self._now: _Open | None = None

    # -- what there is

    async def load(self) -> Facts | None:
        """Open what is there; None for no wallet."""
        if self._now is None:
            self._now = await self._threads.run(self._load)
        return self._now.facts if self._now is not None else None

    def close(self) -> None:
        """Idempotent."""
        if self._now is not None:
            self._now.store.close()
            self._now = None

    @property
    def facts(self) -> Facts:
        """Raises UsageError, code `no_wallet`."""
        return self._opened.facts

    @property
    def sends(self) -> Sends:
        return self._opened.sends

    @property
    def book(self) -> Book:
        return self._opened.book

    @property
    def _opened(self) -> _Open:
        if self._now is None:
            raise UsageError("there is no wallet here: make one, or import one", code="no_wallet")
        return self._now

    def _load(self) -> _Open | None:
        sealed = self._folder.read(_COLD, limits.WALLET_KEYSTORE_BYTES)
        if sealed is not None:
            found = keystore.read(sealed)
            if found.address is None:
                raise StorageError("the keystore does not say its address", code="key_damaged")
            return self._open("words" if found.has_words else "key", found.address, found.device)
        watched = self._folder.read(_WATCHED, 100)
        if watched is None:
            return None
        try:
            return self._open(_WATCHED, Address.parse(watched.decode().strip()), 0)
        except (BadAddress, UnicodeDecodeError):
            path = str(self._folder.path / _WATCHED)
            raise StorageError(f"{path} holds no address", path=path, code="key_damaged") from None

    def _open(self, kind: str, address: Address, device: int) -> _Open:
        name = self._name(address)
        store = WalletStore(self._folder.path / f"{name}.db")
        with contextlib.ExitStack() as undo:
            undo.callback(store.close)
            if kind != _WATCHED:
                # Another chain than before: what was signed on it elsewhere, nobody knows here.
                self._begin_chain(store, address, fresh=self._play)
            counters = Counters(store, Mirror(self._mirrors, address, name), address, self._wall)
            made = _Open(
                self._facts(kind, address, device, store), store, counters, Sends(store, self._threads, self._wall),
                Book(store, self._wall))
            undo.pop_all()
        return made

    def _facts(self, kind: str, address: Address, device: int, store: WalletStore) -> Facts:
        name = self._name(address)
        signer, fee = self._folder.key(f"{name}.signer"), self._folder.key(f"{name}.fee")
        with store.look() as db:
            rows = db.execute("SELECT address FROM signers ORDER BY since, address").fetchall()
        return Facts(
            kind, address, device, signer.address if signer is not None else None,
            fee.address if fee is not None else None, tuple(Address(raw) for (raw,) in rows))

    def _name(self, address: Address) -> str:
        """Of the files that are of one chain."""
        return f"{address}-{self._chain_id:08x}"

    # -- making one

    async def create(self, phrase: Phrase, written: str, passphrase: Passphrase, *, device: int = 0) -> Facts:
        """A wallet of new words, after somebody typed them again from paper (`written`). They are shown once and never
        again.
        """
        if not phrase.is_written(written):
            raise UsageError("these are not the words that were shown: compare what was written", code="not_written")
        key = cold_key(phrase.seed(), device)
        return await self._make(key, passphrase, phrase, device, fresh=True)

    async def import_words(self, phrase: Phrase, passphrase: Passphrase, *, device: int = 0) -> Facts:
        """A wallet that may have been used elsewhere. What it may spend today counts as spent."""
        return await self._make(cold_key(phrase.seed(), device), passphrase, phrase, device, fresh=False)

    async def import_key(self, key: SecretKey, passphrase: Passphrase) -> Facts:
        return await self._make(key, passphrase, None, 0, fresh=False)

    async def import_keystore(self, data: bytes, old: Passphrase, new: Passphrase) -> Facts:
        """A file of another wallet, or a copy of ours."""
        found = keystore.read(data)
        key = await self._threads.run(found.open, old)
        phrase = await self._threads.run(found.open_words, old) if found.has_words else None
        return await self._make(key, new, phrase, found.device, fresh=False)

    async def watch(self, address: Address) -> Facts:
        """Only look: nothing can be signed here."""
        self._check_none()
        await self._threads.run(self._folder.write, _WATCHED, f"{address}\n".encode(), self._wall())
        await self.load()
        return self.facts

    def _check_none(self) -> None:
        if self._now is not None or is_there(self._folder.path):
            raise UsageError("there is a wallet here already", code="wallet_exists")

    async def _make(
        self, key: SecretKey, passphrase: Passphrase, phrase: Phrase | None, device: int, *, fresh: bool,
    ) -> Facts:
        self._check_none()
        passphrase.check_strength()
        sealed = await self._threads.run(
            functools.partial(keystore.write, key, passphrase, phrase=phrase, device=device))
        await self._threads.run(self._begin, key.address, sealed, fresh)
        await self.load()
        return self.facts

    def _begin(self, address: Address, sealed: bytes, fresh: bool) -> None:
        """The keystore comes last: with it the wallet is there, and all that has to hold of it holds."""
        self._folder.make()
        store = WalletStore(self._folder.path / f"{self._name(address)}.db")
        try:
            with store.change() as db:
                put_number(db, "begun", 0)
            self._begin_chain(store, address, fresh=fresh)
        finally:
            store.close()
        self._check_none()
        self._folder.write(_COLD, sealed, self._wall())

    def _begin_chain(self, store: WalletStore, address: Address, *, fresh: bool) -> None:
        """Once, and to the end: after a crash on the way from the start. `fresh`: nothing can have been signed before.
        """
        with store.look() as db:
            if number(db, "begun"):
                return
        self._fresh_signer(store, address)
        if not fresh:
            Counters(store, Mirror(self._mirrors, address, self._name(address)), address, self._wall).begin_from_words()
        with store.change() as db:
            put_number(db, "begun", 1)

    def _fresh_signer(self, store: WalletStore, address: Address) -> None:
        key = self._folder.new_key(f"{self._name(address)}.signer", self._wall())
        with store.change() as db:
            db.execute("UPDATE signers SET current=0")
            db.execute("INSERT INTO signers VALUES (?,?,1)", (key.address.raw, int(self._wall())))

    # -- the passphrase

    async def change_passphrase(self, old: Passphrase, new: Passphrase) -> None:
        """The file is replaced in one step: the old passphrase opens it, or the new one."""
        found = await self._keystore()
        key = await self._threads.run(found.open, old)
        phrase = await self._threads.run(found.open_words, old) if found.has_words else None
        sealed = await self._threads.run(
            functools.partial(keystore.write, key, new, phrase=phrase, device=found.device))
        await self._threads.run(self._folder.write, _COLD, sealed, self._wall())

    async def sealed(self) -> bytes:
        """The keystore as it lies on the disk, to be kept elsewhere. Nobody opens it without the passphrase."""
        data = await self._threads.run(self._folder.read, _COLD, limits.WALLET_KEYSTORE_BYTES)
        if data is None:
            raise UsageError("this wallet only looks: its key is elsewhere", code="watch_only")
        return data

    async def _keystore(self) -> keystore.Keystore:
        found = keystore.read(await self.sealed())
        if found.address != self.facts.address:
            raise StorageError("the keystore is of another address than it was", code="key_damaged")
        return found

    async def check(self, passphrase: Passphrase) -> None:
        """Half a second. Raises WrongPassphrase."""
        await self._threads.run((await self._keystore()).open, passphrase)

    # -- limits

    async def limits(self) -> SpendingLimits:
        return await self._threads.run(self._opened.counters.limits)

    async def usage(self) -> Usage:
        return await self._threads.run(self._opened.counters.usage)

    async def set_limits(self, to: SpendingLimits, passphrase: Passphrase | None = None) -> None:
        """To spend less asks nobody. Raises UsageError, code `passphrase_needed`, where something is loosened."""
        counters = self._opened.counters
        loosened = to.loosens(await self._threads.run(counters.limits))
        if loosened and passphrase is None:
            raise UsageError(f"to loosen {', '.join(loosened)} needs the passphrase", code="passphrase_needed")
        if loosened and passphrase is not None:
            await self.check(passphrase)
        await self._threads.run(counters.set_limits, to)

    async def reopen_day(self, passphrase: Passphrase) -> None:
        """What counts as spent today after the wallet was restored is not."""
        await self.check(passphrase)
        await self._threads.run(self._opened.counters.reopen_day)

    async def forget_adrift(self, passphrase: Passphrase) -> None:
        """What a lost state of the wallet signed is redeemed, or its signer is gone."""
        await self.check(passphrase)
        await self._threads.run(self._opened.counters.forget_adrift)

    # -- keys without a passphrase

    async def signer(self, domain: Domain) -> HotSigner:
        """The hot signer, for one vault of this chain."""
        now = self._opened
        self._check_chain(domain)
        key = await self._threads.run(self._folder.key, f"{self._name(now.facts.address)}.signer")
        if key is None:
            raise UsageError("this wallet has no hot signer: make one", code="no_signer")
        return HotSigner(
            key, now.facts.address, domain, now.counters, self._wall, own=now.facts.mine, former=now.facts.mine)

    def _check_chain(self, domain: Domain) -> None:
        if domain.chain_id != self._chain_id:
            raise UsageError("this vault is on another chain", code="wrong_chain")

    async def new_signer(self, passphrase: Passphrase) -> Facts:
        """A fresh hot signer in place of the one before, whose secret is gone then. The vault has to learn of it."""
        now = self._opened
        await self.check(passphrase)
        await self._threads.run(self._fresh_signer, now.store, now.facts.address)
        return await self._again()

    async def make_fee_key(self) -> Facts:
        """One that pays for redeeming, unattended. There is one at most."""
        now = self._opened
        if now.facts.kind == _WATCHED:
            raise UsageError("this wallet only looks: its key is elsewhere", code="watch_only")
        if now.facts.fee is not None:
            raise UsageError("there is a fee key already", code="key_exists")
        await self._threads.run(self._folder.new_key, f"{self._name(now.facts.address)}.fee", self._wall())
        return await self._again()

    async def _again(self) -> Facts:
        now = self._opened
        facts = now.facts
        now.facts = await self._threads.run(self._facts, facts.kind, facts.address, facts.device, now.store)
        return now.facts

    # -- sending

    def transfer(self, to: Address, amount: int, memo: bytes = b"") -> Order:
        """`amount`: SUN. Raises UsageError."""
        return orders.transfer(self.facts.address, to, amount, memo)

    def call(self, vault: Address, data: bytes, *, value: int = 0) -> Order:
        """Of the vault. `data`: function and arguments; `value`: SUN that go with it."""
        return orders.call(self.facts.address, vault, data, value)

    async def quote(self, chain: Chain, order: Order, *, vault: Address | None = None) -> Quote:
        """What it costs, and what to look out for. `vault`: the one that is configured; calls go there alone. Raises
        NetworkError; UsageError where it cannot be done.
        """
        self._check_order(order, vault)
        owner = order.contract.owner
        raw = orders.template(order)
        account, prices = await chain.account(owner), await chain.prices()
        recipient: ChainAccount | None = None
        cautions: tuple[Caution, ...] = ()
        if isinstance(order.contract, Transfer):
            to = order.contract.to
            recipient = await chain.account(to)
            cautions = await self._threads.run(self._cautions, to)
        energy = 0 if isinstance(order.contract, Transfer) else await chain.energy_of(order.contract)
        costs = estimate(raw, energy, await chain.resources(owner), prices, recipient)
        return Quote(order, costs, account.balance, max(0, costs.most - account.balance), cautions, self._wall())

    async def send(
        self, chain: Chain, wanted: Sequence[tuple[str, Quote]], passphrase: Passphrase, *,
        vault: Address | None = None,
    ) -> list[Send]:
        """Sign and send what was shown, under keys that the caller chose: one that is known is not sent again. One
        passphrase covers the list. Where no node answers it is written down, and goes out with the next `poll`.
        """
        now = self._opened
        fresh: list[tuple[str, Quote]] = []
        for key, quote in wanted:
            there = await self._threads.run(now.sends.get, _key(key))
            if there is None:
                fresh.append((key, quote))
                self._check_order(quote.order, vault)
                if quote.short:
                    raise UsageError(f"the account lacks {quote.short} SUN for it", code="too_little")
                if self._wall() - quote.made > _SHOWN:
                    raise UsageError("what was shown is too old: ask again what it costs", code="quote_old")
            else:
                check_same(there, quote.order.kind, orders.template(quote.order))
        if fresh:
            reference = await self._reference(chain)
            raws = [orders.raw(quote.order, reference, self._wall(), quote.estimate.fee_limit) for _, quote in fresh]
            found = await self._keystore()
            signatures = await self._threads.run(_sign, found, passphrase, raws)
            await self._threads.run(now.sends.record, [
                Signed(key, "cold", quote.order.kind, raw, signature, quote.order.hold)
                for (key, quote), raw, signature in zip(fresh, raws, signatures, strict=True)])
            with contextlib.suppress(NetworkError):
                await now.sends.poll(chain)
        sent = [await self._threads.run(now.sends.get, key) for key, _ in wanted]
        return [one for one in sent if one is not None]

    async def send_unattended(self, chain: Chain, key: str, data: bytes, domain: Domain) -> Send:
        """Have the fee key redeem or claim. Raises Refused where that is not what `data` does, or the day's fees are
        used.
        """
        now = self._opened
        self._check_chain(domain)
        secret = await self._threads.run(self._folder.key, f"{self._name(now.facts.address)}.fee")
        if secret is None:
            raise UsageError("this wallet has no fee key: make one", code="no_fee_key")
        there = await self._threads.run(now.sends.get, _key(key))
        order = Order("call", TriggerContract(secret.address, domain.vault, data))
        if there is not None:
            check_same(there, order.kind, orders.template(order))
            return there
        costs = estimate(
            orders.template(order), await chain.energy_of(order.contract),
            await chain.resources(secret.address), await chain.prices(), None)
        raw = orders.raw(order, await self._reference(chain), self._wall(), costs.fee_limit)
        signature = await self._threads.run(
            FeeSigner(secret, domain, now.counters).sign, raw, costs.bandwidth)
        (sent,) = await self._threads.run(now.sends.record, [Signed(key, "fee", order.kind, raw, signature)])
        with contextlib.suppress(NetworkError):
            await now.sends.poll(chain)
        return await self._threads.run(now.sends.get, key) or sent

    async def table(self) -> str:
        """All that was sent, as CSV."""
        now = self._opened
        labels = {one.address: one.label for one in await self._threads.run(now.book.entries)}
        return export.table(await self._threads.run(now.sends.history), labels)

    def _check_order(self, order: Order, vault: Address | None) -> None:
        now = self._opened
        if now.facts.kind == _WATCHED:
            raise UsageError("this wallet only looks: its key is elsewhere", code="watch_only")
        orders.check(order, now.facts.address, vault)

    def _cautions(self, to: Address) -> tuple[Caution, ...]:
        now = self._opened
        return now.book.warnings(to, now.sends.paid(), (now.facts.address,))

    async def _reference(self, chain: Chain) -> ChainReference:
        reference = await chain.reference()
        if self._skew is not None and abs(reference.time / 1000 - self._wall()) > self._skew:
            raise UsageError(
                "the newest block of the chain is too far from this machine's clock: set it, or ask another node",
                code="clock_skew")
        return reference


def _sign(found: keystore.Keystore, passphrase: Passphrase, raws: Sequence[RawTransaction]) -> list[bytes]:
    """The only place where the cold key signs."""
    encoded = [checked(raw) for raw in raws]
    key = found.open(passphrase)
    if any(raw.contract.owner != key.address for raw in raws):
        raise UsageError("this is of another account", code="foreign_account")
    return [key.sign(transaction.txid_of(one)) for one in encoded]


def _key(text: str) -> str:
    if not 0 < len(text) <= 64 or not text.isascii() or not text.isprintable():
        raise UsageError("a key of a transaction has 1 to 64 characters", code="bad_key")
    return text


def parse_key(text: str) -> SecretKey:
    """A key as people paste it, 64 hex digits. Raises BadKey, whose text has nothing of it."""
    cut = text.strip().removeprefix("0x")
    try:
        raw = bytes.fromhex(cut) if len(cut) == 64 else b""
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise BadKey("a key is 64 hex digits")
    return SecretKey(raw)
