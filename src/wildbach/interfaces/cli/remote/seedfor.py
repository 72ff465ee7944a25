"""`wildbach earn seed-for`: what others pay us to seed, by the period."""

from __future__ import annotations

from typing import Final

import click

from wildbach.interfaces.api import paymodels as pm
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import naming, output, reach, said, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.kinds import TrxType
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.table import Cell, Column, Row
from wildbach.protocol.tron.amounts import shown as trx

SEEDINGS: Final = (
    Column("TORRENT", flexible=True), Column("PAYER"), Column("A PERIOD", right=True), Column("PERIOD"),
    Column("RESERVED", right=True), Column("CAME", right=True), Column("", rank=1))
_WORDS: Final = {
    "unknown": "the vault was not asked yet", "nothing": "nothing is reserved: nothing is counted on",
    "too_little": "less is reserved than was agreed", "too_short": "it is reserved for too short", "covered": "covered",
    "over": "over"}


@click.group("seed-for")
def group() -> None:
    """Keep a torrent served for somebody who pays for that.

    The two of you agree beforehand, by whatever way you talk. Vouchers are taken once the vault has reserved for you
    what all periods cost, also where you sell nothing else.
    """


@group.command("start")
@click.argument("torrent")
@click.argument("payer")
@click.option("--price", type=TrxType(), required=True, metavar="TRX", help="For a period.")
@click.option("--periods", type=click.IntRange(1, 10_000), required=True, metavar="N", help="How many.")
@click.option("--period", type=click.IntRange(1200, 31 * 86_400), default=86_400, metavar="SECONDS",
              help="How long one is.", show_default=True)
@reach.options
def start_command(torrent: str, payer: str, price: int, periods: int, period: int, reach: Reach) -> int:
    """Note down what PAYER promised for a torrent, from now on. PAYER is his address."""
    wanted = pm.PaySeedingWanted(payer, price, periods, period)
    return reach.run(lambda api: start(api, torrent, wanted))


async def start(api: Api, word: str, wanted: pm.PaySeedingWanted) -> Exit:
    (key,) = (await naming.chosen(api, [word])).keys
    one = await api.seed_for(key, wanted)
    output.line(f"{text.clean(one.name)}: {trx(one.price)} TRX a period, {one.periods} of them, by {one.payer}")
    output.advise("Whether the vault has it: wildbach earn seed-for list")
    return Exit.OK


@group.command("list")
@reach.options
@reach.as_json
def list_command(as_json: bool, reach: Reach) -> int:
    """Show what is seeded for whom, and whether the vault has what was promised."""
    return reach.run(lambda api: listed(api, as_json=as_json))


async def listed(api: Api, *, as_json: bool) -> Exit:
    found = await api.seeded_for()
    return said.listed(found.items, SEEDINGS, row_of, "Nobody pays for seeding.", as_json=as_json)


def row_of(one: pm.PaySeeding) -> Row:
    return (
        text.clean(one.name), one.payer, trx(one.price),
        "over" if one.now >= one.periods else f"{one.now + 1} of {one.periods}", trx(one.reserved), trx(one.came),
        Cell(_WORDS[one.backing], "green" if one.backing == "covered" else ""))


@group.command("stop")
@click.argument("torrent")
@reach.options
def stop_command(torrent: str, reach: Reach) -> int:
    """Count on it no more. Vouchers that are held stay good."""
    return reach.run(lambda api: stop(api, torrent))


async def stop(api: Api, word: str) -> Exit:
    (key,) = (await naming.chosen(api, [word])).keys
    await api.stop_seeding_for(key)
    return Exit.OK
