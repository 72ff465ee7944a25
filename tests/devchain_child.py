"""A process that runs a chain in a file and is to be killed: says the id of each transaction that a block has.

    python -m tests.devchain_child FILE instant|ahead
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.devbed import ANNA, TRX, A, B, C, creation

from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.transaction import Contract, CreateContract, Transfer, TriggerContract
from wildbach.services.devchain.chain import DevChain, Options
from wildbach.services.devchain.executing import Refused
from wildbach.services.devchain.store import Store

COUNTER = bytes.fromhex("60005460010160005500")
"Counts its calls in its first slot."


def main(path: str, how: str) -> None:
    options = Options(instant=True, lag=0) if how == "instant" else Options(period=20, lag=5)
    chain = DevChain(Store(Path(path)), options, wall=time.time, steady=time.monotonic)
    if chain.account(A) is None:
        chain.feed(A, 100_000 * TRX)
        chain.produce()
    there: Address | None = None
    for number in range(1_000_000):
        contract: Contract = Transfer(A, (B, C)[number % 2], number + 1)
        if there is None or number % 50 == 49:
            contract = CreateContract(A, creation(COUNTER), "counter", percent=100, energy_limit=1)
        elif number % 5 == 0:
            contract = TriggerContract(A, there, b"")
        raw = chain.draft(contract, fee_limit=0 if isinstance(contract, Transfer) else 100 * TRX)
        try:
            txid = chain.submit(transaction.signed(raw.encode(), ANNA.sign(raw.txid)))
        except Refused:
            continue
        if options.instant:
            print(txid.hex(), flush=True)
        elif number % 7 == 6:
            chain.produce()
            for one in chain.transactions(chain.head.number):
                print(one.receipt.txid.hex(), flush=True)
        if number % 40 == 39 and not options.instant:
            chain.undo(1)
        if isinstance(contract, CreateContract):
            kept = chain.transaction(txid)
            there = Address(kept.receipt.contract) if kept is not None else there


if __name__ == "__main__":
    main(*sys.argv[1:])
