"""Vouchers: what one costs to build and sign, and to verify; and how a seller with a thousand lanes keeps up.

Budgets: 250 µs for building, signing and verifying together; 2,000 a second verified by workers while the loop is never
late by more than 20 ms. One process, no sockets.
"""

from __future__ import annotations

import asyncio
import time

from bench.harness import Report
from bench.micro_hot_path import best

from wildbach.protocol.tron.keys import SecretKey, recover
from wildbach.protocol.tron.typed import Domain, Voucher
from wildbach.runtime.workers import Threads

LANES = 1000
BATCH = 100
"Vouchers that one worker takes at a time."
SECONDS = 5.0
_TICK = 0.005


async def lanes(seconds: float, workers: int) -> tuple[float, float]:
    """Vouchers a second, and the latest that the loop was, in ms."""
    domain, payee = Domain(0xCD8690DC, SecretKey.random().address), SecretKey.random().address
    keys = [SecretKey.random() for _ in range(LANES)]
    vouchers = [Voucher(key.address, payee, 1, 5) for key in keys]
    signed = [(voucher, key.sign(voucher.digest(domain))) for voucher, key in zip(vouchers, keys, strict=True)]

    def verify(part: list[tuple[Voucher, bytes]]) -> None:
        for voucher, signature in part:
            assert recover(voucher.digest(domain), signature) == voucher.payer

    threads = Threads(workers, "verify")
    latest = 0.0
    done = 0
    try:
        end = time.perf_counter() + seconds

        async def feed(start: int) -> None:
            nonlocal done
            at = start
            while time.perf_counter() < end:
                await threads.run(verify, signed[at : at + BATCH])
                done += BATCH
                at = (at + BATCH * workers) % LANES

        async def watch() -> None:
            nonlocal latest
            while time.perf_counter() < end:
                begin = time.perf_counter()
                await asyncio.sleep(_TICK)
                latest = max(latest, time.perf_counter() - begin - _TICK)

        begin = time.perf_counter()
        await asyncio.gather(watch(), *(feed(BATCH * number) for number in range(workers)))
        return done / (time.perf_counter() - begin), latest * 1000
    finally:
        threads.close()


def run(report: Report, seconds: float = SECONDS) -> None:
    report.say("vouchers")
    key = SecretKey.random()
    domain = Domain(0xCD8690DC, key.address)
    totals = range(1, 201)

    def sign() -> list[bytes]:
        return [key.sign(Voucher(key.address, key.address, 1, total).digest(domain)) for total in totals]

    signatures = sign()

    def verify() -> None:
        for total, signature in zip(totals, signatures, strict=True):
            recover(Voucher(key.address, key.address, 1, total).digest(domain), signature)

    built, verified = best(sign, len(totals)), best(verify, len(totals))
    report.say(f"  built and signed {built:.0f} µs, verified {verified:.0f} µs")
    report.limit("one voucher on both sides, µs", built + verified, 250.0)
    a_second, late = asyncio.run(lanes(seconds, 2))
    report.verdict("vouchers a second of 1,000 lanes, of 2,000", a_second / 2000, 1.0)
    report.limit("the loop meanwhile late by, ms", late, 20.0)
