"""A vault on two machines at once, and people who use it: what one machine answers, the other must, to the last gas."""

from __future__ import annotations

from typing import Final, TypeVar

from tests.evms import CHAIN, START, Evm, Outcome, PyEvm, Revm

from wildbach.protocol.tron.abi import encode
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.typed import Domain, Voucher
from wildbach.services.chain import vault
from wildbach.services.chain.vaultevents import VaultEvent, read_log

T = TypeVar("T")

DAY: Final = 86_400
DELAY: Final = 7 * DAY
TRX: Final = 1_000_000
VAULT: Final = Address(b"\x33" * 20)
PAYER, HOT, HOT2, SELLER, OTHER, ANYONE, PAYER2 = (SecretKey(bytes([number]) * 32) for number in range(1, 8))
A, B, S, C, N = PAYER.address, PAYER2.address, SELLER.address, OTHER.address, ANYONE.address
RICH: Final = 1000 * TRX
EPOCH: Final = 7


class BothDiffer(AssertionError):
    pass


class Both:
    """Every step on py-evm and on revm."""

    def __init__(self, chain: int = CHAIN) -> None:
        self._first, self._second = PyEvm(chain), Revm(chain)
        self.now = START

    def fund(self, who: Address, amount: int) -> None:
        self._first.fund(who, amount)
        self._second.fund(who, amount)

    def balance(self, who: Address) -> int:
        return _same(self._first.balance(who), self._second.balance(who))

    def put_code(self, at: Address, code: bytes) -> None:
        self._first.put_code(at, code)
        self._second.put_code(at, code)

    def code(self, at: Address) -> bytes:
        return _same(self._first.code(at), self._second.code(at))

    def create(self, sender: Address, at: Address, code: bytes) -> Outcome:
        first, second = self._first.create(sender, at, code), self._second.create(sender, at, code)
        # revm runs the constructor as a call, so its gas is another one.
        _same((first.ok, first.logs, self._first.code(at)), (second.ok, second.logs, self._second.code(at)))
        return first

    def call(self, sender: Address, to: Address, data: bytes, value: int = 0) -> Outcome:
        self._first.now = self._second.now = self.now
        return _same(self._first.call(sender, to, data, value), self._second.call(sender, to, data, value))


def _same(first: T, second: T) -> T:
    if first != second:
        raise BothDiffer(f"py-evm: {first}\nrevm: {second}")
    return first


class Bed:
    """`delay`: of the vault, in seconds. A has 50 TRX in it, and HOT signs for him."""

    def __init__(self, evm: Evm | None = None, *, deposit: int = 50 * TRX, delay: int = DELAY) -> None:
        self.evm: Evm = Both() if evm is None else evm
        self.domain = Domain(CHAIN, VAULT)
        for who in (A, B, S, C, N):
            self.evm.fund(who, RICH)
        assert self.evm.create(N, VAULT, vault.deployment(N, delay).bytecode).ok
        self.events: list[VaultEvent] = []
        self.why = ""
        self.gas = 0
        if deposit:
            assert self.call(A, vault.deposit(deposit)) and self.call(A, vault.add_signer(HOT.address))

    @property
    def now(self) -> int:
        return self.evm.now

    def wait(self, seconds: int) -> None:
        self.evm.now += seconds

    def call(self, who: Address, call: vault.Call) -> bool:
        done = self.evm.call(who, VAULT, call.data, call.value)
        self.events = [read_log(log.topics, log.data) for log in done.logs if log.address == VAULT]
        self.why = "" if done.ok else vault.reason(done.output)
        self.gas = done.gas
        return done.ok

    def ask(self, question: vault.Question[T]) -> T:
        done = self.evm.call(N, VAULT, question.data)
        assert done.ok, vault.reason(done.output)
        return question.read(done.output)

    def voucher(
        self, key: SecretKey, payee: Address, total: int, epoch: int = EPOCH, payer: Address = A,
    ) -> vault.SignedVoucher:
        """Signed over the digest made here, which is the one that the vault makes."""
        made = Voucher(payer, payee, epoch, total)
        digest = made.digest(self.domain)
        assert self.ask(vault.digest(made)) == digest
        return vault.SignedVoucher(made, key.sign(digest))

    def redeem(
        self, key: SecretKey, payee: Address, total: int, epoch: int = EPOCH, payer: Address = A, by: Address = N,
    ) -> bool:
        return self.call(by, vault.redeem(self.voucher(key, payee, total, epoch, payer)))

    def named(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def payer(self, who: Address = A) -> vault.Payer:
        return self.ask(vault.payer(who))

    def reserved(self, payee: Address, payer: Address = A) -> vault.Reservation:
        return self.ask(vault.reservation(payer, payee))

    def credit(self, payee: Address) -> int:
        return self.ask(vault.credit(payee))


def caller(*calls: tuple[Address, bytes], reverts: bool = False) -> bytes:
    """The code of a contract that makes these calls whenever money comes, whatever they answer; and then reverts, if
    so wished.
    """
    code, data = b"", b""
    for to, call in calls:
        # CODECOPY(0, where, size); CALL(gas, to, 0, 0, size, 0, 0); POP. Where the data lies is known below.
        size = b"\x61" + len(call).to_bytes(2, "big")
        code += size + b"\x61\xff\xff\x60\x00\x39"
        code += b"\x60\x00\x60\x00" + size + b"\x60\x00\x60\x00\x73" + to.raw + b"\x5a\xf1\x50"
    code += b"\x60\x00\x60\x00\xfd" if reverts else b"\x00"
    for _, call in calls:
        place = len(code) + len(data)
        code = code.replace(b"\x61\xff\xff", b"\x61" + place.to_bytes(2, "big"), 1)
        data += call
    return code + data


def raw_redeem(payer: Address, payee: Address, epoch: int, total: int, signature: bytes) -> vault.Call:
    """With values that no typed voucher takes."""
    types = ["address", "address", "uint64", "uint256", "bytes"]
    name = vault.redeem(vault.SignedVoucher(Voucher(payer, payee, 0, 0), bytes(65))).data[:4]
    return vault.Call(name + encode(types, [payer, payee, epoch, total, signature]))
