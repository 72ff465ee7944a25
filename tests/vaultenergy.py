"""The tables of docs/vault.md: what calls of the vault cost by the prices of java-tron, and the hashes of its code.
`python -m tests.vaultenergy` writes them, and a test holds the page to them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from tests.evms import Tvm
from tests.vaultbed import DAY, DELAY, HOT, HOT2, TRX, VAULT, A, Bed, C, N, S

from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.transaction import CreateContract, RawTransaction, TriggerContract, signed
from wildbach.services.chain import vault

PAGE: Final = Path(__file__).parents[1] / "docs" / "vault.md"
SUN_PER_ENERGY: Final = 100


def size(contract: CreateContract | TriggerContract) -> int:
    """Bytes of a signed transaction."""
    raw = RawTransaction(b"ab", b"12345678", 1_700_000_060_000, contract, 1_700_000_000_000, 100 * TRX)
    return len(signed(raw.encode(), bytes(65)))


class Meter:
    def __init__(self) -> None:
        self.bed = Bed(Tvm(), deposit=0)
        self.rows: list[tuple[str, int, int]] = []

    def pay(self, name: str, who: Address, call: vault.Call, parts: int = 1) -> None:
        assert self.bed.call(who, call), self.bed.why
        length = size(TriggerContract(who, VAULT, call.data, call.value))
        self.rows.append((name, self.bed.gas // parts, length // parts))


def measured() -> list[tuple[str, int, int]]:
    """Names, energy, bytes of the signed transaction."""
    meter = Meter()
    bed, pay = meter.bed, meter.pay
    new = vault.deployment(N, DELAY)
    meter.rows.append(("deployment", Tvm().create(N, VAULT, new.bytecode).gas, size(new)))
    pay("`deposit`, the first of a payer", A, vault.deposit(50 * TRX))
    pay("`deposit`", A, vault.deposit(50 * TRX))
    pay("`addSigner`, the first of a payer", A, vault.add_signer(HOT.address))
    pay("`addSigner`", A, vault.add_signer(HOT2.address))
    pay("`removeSigner`", A, vault.remove_signer(HOT2.address))
    pay("`reserve`, the first of a pair", A, vault.reserve(S, 10 * TRX, bed.now + 30 * DAY))
    pay("`reserve`", A, vault.reserve(S, TRX, bed.now + 31 * DAY))
    pay("`redeem` of a reservation, a new lane and payee", N, vault.redeem(bed.voucher(HOT, S, TRX)))
    pay("`redeem` of a reservation", N, vault.redeem(bed.voucher(HOT, S, 2 * TRX)))
    pay("`redeem` of free money, a new lane and payee", N, vault.redeem(bed.voucher(HOT, C, TRX)))
    pay("`redeem` of free money", N, vault.redeem(bed.voucher(HOT, C, 2 * TRX)))
    ten = [bed.voucher(HOT, C, TRX, epoch) for epoch in range(10, 20)]
    pay("`redeemMany` of ten new lanes, each", N, vault.redeem_many(ten), 10)
    ten = [bed.voucher(HOT, C, 2 * TRX, epoch) for epoch in range(10, 20)]
    pay("`redeemMany` of ten lanes, each", N, vault.redeem_many(ten), 10)
    pay("`claim`", N, vault.claim(S))
    new_one = Address(b"\x77" * 20)
    assert bed.call(N, vault.redeem(bed.voucher(HOT, new_one, TRX)))
    pay("`claim`, to an address that has no account yet", N, vault.claim(new_one))
    pay("`waive`", S, vault.waive(A))
    bed.wait(1)
    assert bed.call(A, vault.reserve(C, TRX, bed.now + DAY))
    bed.wait(DAY)
    pay("`release`", A, vault.release(C))
    pay("`requestWithdraw`, the first of a payer", A, vault.request_withdraw(TRX))
    bed.wait(DELAY)
    pay("`withdraw`", A, vault.withdraw())
    return meter.rows


def energy() -> str:
    lines = ["| call | energy | TRX at 100 SUN | bytes |", "| --- | ---: | ---: | ---: |"]
    for name, used, length in measured():
        lines.append(f"| {name} | {used:,} | {used * SUN_PER_ENERGY / TRX:.1f} | {length:,} |")
    return "\n".join(lines) + "\n"


def code() -> str:
    made = vault.committed()
    return (
        "| code | SHA-256 | Keccak-256 |\n| --- | --- | --- |\n"
        f"| that runs, {len(made.runtime):,} bytes | `{made.sha256}` | `{made.keccak.hex()}` |\n")


def page(text: str) -> str:
    """With the tables as they are now."""
    for name, table in (("energy", energy()), ("code", code())):
        before, rest = text.split(f"<!-- {name} -->\n")
        text = f"{before}<!-- {name} -->\n{table}<!-- /{name} -->\n" + rest.split(f"<!-- /{name} -->\n")[1]
    return text


if __name__ == "__main__":
    sys.exit(PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8") == 0)
