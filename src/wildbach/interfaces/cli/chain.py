"""`wildbach chain`: chains that payments are made on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import click

from wildbach.base.errors import FormatError, UsageError
from wildbach.disk.shelf import Shelf
from wildbach.engine.ways import Ways
from wildbach.interfaces.cli import devchain, output, running, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.remote import deployvault
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.cli.state import state_folder
from wildbach.interfaces.cli.wishes import Wishes, outward
from wildbach.protocol.tron.address import Address
from wildbach.runtime.rng import seeded
from wildbach.runtime.workers import Threads
from wildbach.services.chain.client import ChainClient
from wildbach.services.chain.examining import MEMORY, Examination, Finding, Grade, Memory
from wildbach.services.chain.networks import KNOWN, Choice, Network, Place, check_url
from wildbach.services.chain.nodes import Node

_MARKS = {Grade.GOOD: "✓", Grade.NOTE: "·", Grade.FAULT: "✗"}


@click.group("chain")
def command() -> None:
    """Look at a chain that payments are made on, or run one of your own."""


command.add_command(devchain.run_command)
command.add_command(devchain.faucet_command)
command.add_command(deployvault.command)


@command.command("check")
@click.argument("url")
@click.option("--network", "expected", type=click.Choice(list(KNOWN)), metavar="NAME",
              help="What the node must be of: dev, nile, mainnet or custom.  [default: what its first block says]")
@click.option("--vault", metavar="ADDRESS", help="A vault on it, whose code is compared with the one known here.")
@click.option("--solid-url", metavar="URL", help="Where it tells solidified state, if that is another address.")
@outward
def check_command(url: str, expected: str | None, vault: str | None, solid_url: str | None, wishes: Wishes) -> int:
    """See whether the node at URL answers as wildbach expects; nothing is signed, and nothing is sent.

    URL is where a node of TRON answers over HTTP, as https://nile.trongrid.io. Its first block says which chain it is
    of. The outcome is remembered, and shown where that network is chosen. Exit code 0 means that nothing is at fault.
    """
    place = Place(check_url("URL", url), check_url("--solid-url", solid_url) if solid_url else check_url("URL", url))
    address = _vault(vault)
    network = KNOWN[expected] if expected is not None else None

    async def work(stop: Stop) -> Exit:
        faults = 0
        async for finding in examine(place, network, address, wishes):
            _show(finding, wishes)
            faults += finding.grade is Grade.FAULT
            if stop.asked:
                return stop.code
        return Exit.FAILED if faults else Exit.OK

    return running.run(work)


async def examine(
    place: Place, expected: Network | None, vault: Address | None, wishes: Wishes,
) -> AsyncIterator[Finding]:
    """What is found at a node; remembered once all of it was read. Raises NetworkError where nobody answers."""
    memory = Memory(Shelf(state_folder(wishes.state) / MEMORY))
    threads = Threads(1)
    try:
        async with Ways(wishes.settings()) as ways:
            rng = seeded()

            def client(network: Network) -> ChainClient:
                choice = Choice(network, (place,), vault)
                return ChainClient(ways.http, choice, wall=time.time, pause=asyncio.sleep, rng=rng)

            examination = Examination(
                Node(ways.http, place, asyncio.sleep, rng), client, expected, vault, time.time, rng)
            passed = True
            async for finding in examination.found():
                passed = passed and finding.grade is not Grade.FAULT
                yield finding
        await threads.run(
            memory.note, examination.network, examination.genesis, place.name, time.time(), passed)
    finally:
        threads.close()


def _show(finding: Finding, wishes: Wishes) -> None:
    told = text.clean(finding.text)
    if wishes.as_json:
        output.record({"event": "finding", "area": finding.area, "grade": finding.grade.value, "text": told})
    elif not wishes.quiet or finding.grade is Grade.FAULT:
        output.line(f"{_MARKS[finding.grade]} {finding.area}: {told}")


def _vault(words: str | None) -> Address | None:
    if not words:
        return None
    try:
        return Address.parse(words)
    except FormatError as error:
        raise UsageError(f"--vault: {error.message}") from None
