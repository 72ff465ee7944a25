"""A wallet that is killed on its way: `wallet_child.py FOLDER vouchers|sends`.

A step is a statement of SQLite, an opened file, a write to the mirror or a sync. For each step in turn a fork of this
process lives until right before it and is killed; then the wallet is opened again and goes on to the end. What left the
wallet (signatures, transactions that a node got) is in a file of its own. Prints one line of JSON for each.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from walletbed import START, Clock, HandChain
from wildbach.disk import system
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.transaction import RawTransaction, Transfer
from wildbach.protocol.tron.typed import Domain, Voucher
from wildbach.runtime.workers import Threads
from wildbach.services.pay.wallet.counters import Counters
from wildbach.services.pay.wallet.mirror import Mirror
from wildbach.services.pay.wallet.policy import Cover, Refused, Share, SpendingLimits, Wanted
from wildbach.services.pay.wallet.sending import Sends, Signed
from wildbach.services.pay.wallet.signer import HotSigner
from wildbach.services.pay.wallet.store import WalletStore

KEY = SecretKey(bytes([5]) * 32)
PAYER, A, B = (Address(bytes([number]) * 20) for number in (1, 2, 3))
DOMAIN = Domain(0xCD8690DC, Address(b"v" * 20))
EPOCH = int(START * 1000)
LIMITS = SpendingLimits(
    per_voucher=40, per_peer=90, per_torrent=90, per_day=100, total=1000, max_price=10, fees_per_day=10)
AMOUNTS = ((A, 30), (B, 20), (A, 25), (B, 20), (A, 20))
"More than a day's limit has room for."


class Steps:
    """Counts, and kills before the step `last`."""

    def __init__(self, last: int) -> None:
        self.taken = 0
        self._last = last

    def take(self, *_: object) -> None:
        self.taken += 1
        if self.taken == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def of(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any) -> Any:
            self.take()
            return work(*args)

        return counted

    def watch(self, store: WalletStore) -> None:
        store._db.set_trace_callback(self.take)
        for name in ("write_fully", "fdatasync", "sync_path"):
            setattr(system, name, self.of(getattr(system, name)))


def leave(folder: Path, what: str) -> None:
    descriptor = os.open(folder / "left", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, what.encode() + b"\n")
    os.close(descriptor)


def left(folder: Path) -> list[str]:
    path = folder / "left"
    return path.read_text().split() if path.exists() else []


# -- vouchers


def open_counters(folder: Path) -> tuple[WalletStore, Counters]:
    store = WalletStore(folder / "wallet.db")
    return store, Counters(store, Mirror(folder / "mirrors", PAYER, "payer"), PAYER, Clock())


def sign_all(folder: Path, counters: Counters) -> None:
    """As a buyer does: what was said last is known from what left, or from nothing at all."""
    signer = HotSigner(KEY, PAYER, DOMAIN, counters, Clock())
    signer.set_cover(Cover(1, balance=105, reserved=0))
    totals: dict[Address, int] = {}
    for payee, amount in AMOUNTS:
        totals[payee] = totals.get(payee, 0) + amount
        wanted = Wanted(Voucher(PAYER, payee, EPOCH, totals[payee]), (Share(b"", amount),))
        try:
            signed = signer.voucher(wanted)
        except Refused as refused:
            if refused.code not in ("below_signed",):
                totals[payee] -= amount
            continue
        leave(folder, f"{payee}:{signed.voucher.cumulative}:{signed.signature.hex()}")


def vouchers(folder: Path, steps: Steps) -> None:
    store, counters = open_counters(folder)
    steps.watch(store)
    sign_all(folder, counters)
    store.close()


def after_vouchers(folder: Path) -> dict[str, object]:
    before = left(folder)
    store, counters = open_counters(folder)
    counted = counters.usage()
    sign_all(folder, counters)
    usage = counters.usage()
    store.close()
    return {
        "before": before, "left": left(folder), "counted": counted.total, "total": usage.total, "today": usage.today,
        "closed": counted.closed_today or usage.closed_today,
    }


# -- sends


def raw(number: int) -> RawTransaction:
    return RawTransaction(b"ab", b"12345678", EPOCH + 60_000, Transfer(KEY.address, A, 100 + number), EPOCH + number)


class Node(HandChain):
    """What it got is in the file, whatever becomes of the wallet."""

    folder: Path

    async def broadcast(self, transaction_: bytes) -> Any:
        leave(self.folder, transaction_.hex())
        return await super().broadcast(transaction_)


def node(folder: Path) -> Node:
    made = Node(Clock(), balances={KEY.address: 10_000})
    made.folder = folder
    for one in left(folder):
        encoded, _ = transaction.unsigned(bytes.fromhex(one))
        made.pool[transaction.txid_of(encoded)] = encoded
    made.solidify()
    return made


async def send_all(folder: Path, store: WalletStore) -> list[str]:
    threads = Threads(1)
    sends = Sends(store, threads, Clock())
    chain = node(folder)
    sends.record([Signed("a", "cold", "transfer", raw(1), KEY.sign(raw(1).txid))])
    sends.record([
        Signed("b", "cold", "transfer", raw(2), KEY.sign(raw(2).txid)),
        Signed("c", "cold", "transfer", raw(3), KEY.sign(raw(3).txid))])
    await sends.poll(chain)
    chain.solidify()
    await sends.poll(chain)
    threads.close()
    return [f"{one.key}:{one.state}" for one in sends.history()] + [str(chain.balances.get(A, 0))]


def sends(folder: Path, steps: Steps) -> None:
    store = WalletStore(folder / "wallet.db")
    steps.watch(store)
    asyncio.run(send_all(folder, store))
    store.close()


def after_sends(folder: Path) -> dict[str, object]:
    store = WalletStore(folder / "wallet.db")
    states = asyncio.run(send_all(folder, store))
    store.close()
    return {"states": states, "left": left(folder)}


# -- every step


def main(root: Path, story: Callable[[Path, Steps], None], after: Callable[[Path], dict[str, object]]) -> None:
    number = 0
    killed = True
    while killed:
        number += 1
        folder = root / str(number)
        folder.mkdir()
        store, counters = open_counters(folder)
        counters.set_limits(LIMITS)
        store.close()
        child = os.fork()
        if child == 0:
            story(folder, Steps(number))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status)
        if not killed and os.WEXITSTATUS(status):
            raise SystemExit(f"step {number} ended by itself: {status}")
        print(json.dumps({"step": number, "killed": killed, **after(folder)}), flush=True)


if __name__ == "__main__":
    chosen = {"vouchers": (vouchers, after_vouchers), "sends": (sends, after_sends)}[sys.argv[2]]
    main(Path(sys.argv[1]), *chosen)
