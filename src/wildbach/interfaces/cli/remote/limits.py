"""`wildbach limits`: the speed limits of the whole."""

from __future__ import annotations

import click
from msgspec import UNSET

from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.kinds import SIZE
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote import status

_SLOW = {"on": True, "off": False, "toggle": None}


@click.command("limits")
@click.option("--down", type=SIZE, metavar="RATE", help="Bytes a second: 500K, 2M; 0 for none.")
@click.option("--up", type=SIZE, metavar="RATE", help="Bytes a second: 500K, 2M; 0 for none.")
@click.option("--slow", type=click.Choice(list(_SLOW)), help="Slow mode: the alternative limits, until the schedule.")
@reach.options
@reach.as_json
def command(down: int | None, up: int | None, slow: str | None, as_json: bool, reach: Reach) -> int:
    """Show or set the speed limits of the whole.

    What is set are the limits that hold now: the usual ones, or in slow mode the alternative ones. Those of one torrent
    are set by `wildbach edit`. Peers on this machine and in the local network are free of them, but for
    `rates.limit_local`.
    """
    return reach.run(lambda api: limits(api, down, up, slow, as_json=as_json))


async def limits(api: Api, down: int | None, up: int | None, slow: str | None, *, as_json: bool) -> Exit:
    if slow is not None:
        await api.set_slow_mode(m.SlowMode(_SLOW[slow]))
    if down is not None or up is not None:
        await api.set_limits(m.RateLimits(UNSET if down is None else down, UNSET if up is None else up))
    now = await api.transfer()
    if as_json:
        output.record({"down": now.down_limit, "up": now.up_limit, "slow_mode": now.slow_mode})
    else:
        output.line(status.limits(now))
    return Exit.OK
