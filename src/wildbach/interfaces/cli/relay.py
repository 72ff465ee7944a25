"""`wildbach relay`: joins devices that cannot reach each other, until Ctrl-C."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from functools import partial
from typing import Final

import click

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.base.words import plural
from wildbach.interfaces.cli import output, running, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.kinds import HOST_PORT, HostPort, SizeType, is_literal
from wildbach.interfaces.cli.running import Stop
from wildbach.protocol.sync.relay import Caps, RelayStats
from wildbach.services.relay.metrics import MetricsServer
from wildbach.services.relay.server import RelayServer

DEFAULT_LISTEN: Final = HostPort("127.0.0.1", 6990)
_LOOK_SECONDS: Final = 1.0
_SAY_SECONDS: Final = 10.0
_COUNT: Final = click.IntRange(1)
_SIZE: Final = SizeType()


@click.command("relay")
@click.option(
    "--listen", type=HOST_PORT, multiple=True, metavar="HOST:PORT",
    help="Address and port (default 127.0.0.1:6990); port 0 takes any. 0.0.0.0 is every IPv4 address, [::] every IPv6"
    " one; may be given several times.",
)
@click.option(
    "--limit", type=_SIZE, default=str(limits.RELAY_RATE), metavar="SIZE", show_default="8M",
    help="Bytes a second that are passed on in all; 0 for no limit.",
)
@click.option(
    "--pair-limit", type=_SIZE, default=str(limits.RELAY_PAIR_RATE), metavar="SIZE", show_default="2M",
    help="The same for one pair.",
)
@click.option(
    "--pair-bytes", type=_SIZE, default=str(limits.RELAY_PAIR_BYTES), metavar="SIZE", show_default="64G",
    help="What one pair may send until it has to call again; 0 for no limit.",
)
@click.option(
    "--max-connections", type=_COUNT, default=limits.RELAY_CONNECTIONS, show_default=True,
    help="Connections at once; a pair has two.",
)
@click.option(
    "--per-address", type=_COUNT, default=limits.RELAY_PER_ADDRESS, show_default=True,
    help="Of these, connections of one IPv4 address or IPv6 /64.",
)
@click.option(
    "--metrics", type=HOST_PORT, metavar="[HOST]:PORT",
    help="Numbers at http://HOST:PORT/metrics (Prometheus); without HOST at 127.0.0.1. Everybody who reaches it can"
    " read it.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: addresses, then numbers.")
def command(
    listen: tuple[HostPort, ...], limit: int, pair_limit: int, pair_bytes: int, max_connections: int, per_address: int,
    metrics: HostPort | None, as_json: bool,
) -> int:
    """Run a relay, for devices of synced folders that cannot reach each other.

    Two that call it and show the same token are joined. It cannot read what it passes on, knows no folder and calls
    nobody. Nothing is kept on disk. It runs until Ctrl-C or SIGTERM.
    """
    places = listen or (DEFAULT_LISTEN,)
    for at in (*places, *([metrics] if metrics else [])):
        if at.host and not is_literal(at.host):
            raise UsageError(f"{text.clean(at.host)}: an address of this machine is needed, not a name")
    caps = Caps(
        connections=max_connections, per_address=per_address, rate=limit, pair_rate=pair_limit, pair_bytes=pair_bytes)
    return running.run(partial(_run, places, caps, metrics, as_json))


async def _run(
    places: tuple[HostPort, ...], caps: Caps, metrics: HostPort | None, as_json: bool, stop: Stop,
) -> Exit:
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(RelayServer(caps))
        for at in places:
            await server.start(at.host or "0.0.0.0", at.port)
        listening = [str(at) for at in server.listening]
        if metrics is not None:
            numbers = MetricsServer(server.stats)
            stack.push_async_callback(numbers.close)
            found = await numbers.start(metrics.host or "127.0.0.1", metrics.port)
            url = f"http://{found}/metrics"
            if as_json:
                output.record({"event": "metrics", "url": url})
            else:
                output.line(f"Numbers: {url}")
        if as_json:
            output.record({"event": "listening", "relays": listening})
        else:
            for one in listening:
                output.line(f"Relay at {one}")
            if {at.host for at in places} <= {"127.0.0.1", "::1"}:
                output.line("Only this machine can reach it; --listen 0.0.0.0:6990 opens it to others.")
            output.line("Ctrl-C stops it.")
        await _watch(server, stop, as_json=as_json)
    return Exit.OK


async def _watch(server: RelayServer, stop: Stop, *, as_json: bool) -> None:
    last: RelayStats | None = None
    heard = float("-inf")
    while not stop.asked:
        stats = server.stats()
        if stats != last and as_json:
            output.record({"event": "stats", **dataclasses.asdict(stats)})
            last = stats
        elif stats != last and not as_json and time.monotonic() - heard >= _SAY_SECONDS:
            if last is not None or stats.connections:
                output.line(
                    f"{plural(stats.pairs, 'pair')}, {stats.waiting} waiting, {text.size(stats.moved)} passed on")
                heard = time.monotonic()
            last = stats
        await stop.pause(_LOOK_SECONDS)
