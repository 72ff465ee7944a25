"""`wildbach tracker`: an HTTP and UDP tracker, until Ctrl-C."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import click

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.base.words import plural
from wildbach.interfaces.cli import output, running, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.kinds import HOST_PORT, HostPort, is_literal
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.cli.trackerworkers import Workers
from wildbach.net.redislog import RedisLog
from wildbach.runtime.tasks import Scope
from wildbach.services.tracker.access import Files
from wildbach.services.tracker.metrics import MetricsServer
from wildbach.services.tracker.replica import Replica, share
from wildbach.services.tracker.server import TrackerOptions, TrackerServer, TrackerStats

LOOK_SECONDS = 1.0
_SAY_SECONDS = 10.0
_PATH = click.Path(dir_okay=False, path_type=Path)
_COUNT = click.IntRange(0)
DEFAULT_LISTEN = HostPort("127.0.0.1", 6969)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the flags ask for."""

    listen: tuple[HostPort, ...]
    http: bool
    udp: bool
    options: TrackerOptions
    metrics: HostPort | None
    store: str | None
    name: str
    json: bool
    worker: bool


@click.command("tracker")
@click.option(
    "--listen", type=HOST_PORT, multiple=True, metavar="HOST:PORT",
    help="Address and port for HTTP (TCP) and UDP (default 127.0.0.1:6969); port 0 takes any. 0.0.0.0 is every IPv4"
    " address, [::] every IPv6 one; may be given several times.",
)
@click.option("--no-http", is_flag=True, help="UDP only.")
@click.option("--no-udp", is_flag=True, help="HTTP only.")
@click.option(
    "--interval", type=click.IntRange(30, 6 * 3600), default=1800, show_default=True,
    help="Seconds between the announces of a peer; each is told up to a tenth more or less.",
)
@click.option(
    "--load", type=click.FloatRange(0), default=0.0, metavar="N",
    help="Where more than N announces a second come to a process, the interval grows, up to eight times. 0: never.",
)
@click.option("--allow", type=_PATH, metavar="FILE", help="Serve only the info hashes in this file, one a line.")
@click.option("--deny", type=_PATH, metavar="FILE", help="Do not serve the info hashes in this file, one a line.")
@click.option(
    "--users", type=_PATH, metavar="FILE",
    help="Private: serve only URLs with a key from this file, one a line, as in http://HOST:PORT/KEY/announce.",
)
@click.option(
    "--max-torrents", type=_COUNT, default=limits.TRACKER_SERVER_TORRENTS, show_default=True,
    help="Torrents in the table; above that, announces for others are refused.",
)
@click.option(
    "--max-peers", type=_COUNT, default=limits.TRACKER_SERVER_PEERS, show_default=True,
    help="Peers in the table; above that, others are answered but not kept.",
)
@click.option(
    "--max-peers-per-torrent", type=_COUNT, default=limits.TRACKER_SERVER_PEERS_PER_TORRENT, show_default=True,
    help="The same for one torrent.",
)
@click.option(
    "--max-connections", type=click.IntRange(1), default=limits.TRACKER_SERVER_CONNECTIONS, show_default=True,
    help="HTTP connections at once.",
)
@click.option(
    "--rate", type=_COUNT, default=limits.TRACKER_SERVER_RATE, show_default=True,
    help="Requests a minute of one IPv4 address or IPv6 /64; 0 for no limit.",
)
@click.option(
    "--metrics", type=HOST_PORT, metavar="[HOST]:PORT",
    help="Numbers at http://HOST:PORT/metrics (Prometheus) and a page at /; without HOST at 127.0.0.1. Everybody who"
    " reaches it can read it.",
)
@click.option(
    "--store", metavar="URL", envvar="WILDBACH_TRACKER_STORE",
    help="Share the table with other processes through Redis or Valkey: redis://[:PASSWORD@]HOST:PORT[/DB]. The URL may"
    " also stand in WILDBACH_TRACKER_STORE, where no list of processes shows its password.",
)
@click.option(
    "--store-name", default="wildbach-tracker", show_default=True, metavar="NAME",
    help="Trackers with the same name share one table.",
)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True,
    help="Processes that serve the same ports; more than one needs --store.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: URLs, then numbers.")
@click.option("--worker", is_flag=True, hidden=True)
def command(
    listen: tuple[HostPort, ...], no_http: bool, no_udp: bool, interval: int, load: float, allow: Path | None,
    deny: Path | None, users: Path | None, max_torrents: int, max_peers: int, max_peers_per_torrent: int,
    max_connections: int, rate: int, metrics: HostPort | None, store: str | None, store_name: str, workers: int,
    as_json: bool, worker: bool,
) -> int:
    """Run a tracker (HTTP and UDP).

    It serves every torrent that peers announce, unless --allow, --deny or --users say otherwise; these files are read
    again when they change. Nothing is kept on disk. It runs until Ctrl-C or SIGTERM.
    """
    if no_http and no_udp:
        raise UsageError("--no-http and --no-udp together leave nothing to run")
    plan = Plan(
        listen or (DEFAULT_LISTEN,), not no_http, not no_udp,
        TrackerOptions(
            interval=interval, load=load, torrents=max_torrents, peers=max_peers,
            peers_per_torrent=max_peers_per_torrent, connections=max_connections, rate=rate,
            files=Files(allow, deny, users), shared_ports=worker,
        ),
        metrics, store, store_name, as_json, worker,
    )
    _check(plan, workers)
    if workers > 1:
        return running.run(lambda stop: _with_workers(plan, workers, stop))
    return running.run(lambda stop: _alone(plan, stop))


def _check(plan: Plan, workers: int) -> None:
    for at in (*plan.listen, *([plan.metrics] if plan.metrics else [])):
        if at.host and not is_literal(at.host):
            raise UsageError(f"{text.clean(at.host)}: an address of this machine is needed, not a name")
    if workers > 1 and plan.store is None:
        raise UsageError("--workers needs --store: without one each process would have peers of its own")
    if (workers > 1 or plan.worker) and not all(at.port for at in plan.listen):
        raise UsageError("--workers needs a port that is not 0, for all to share")


def _host(at: HostPort) -> str:
    return at.host or "0.0.0.0"


async def _alone(plan: Plan, stop: Stop) -> Exit:
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(TrackerServer(options=plan.options))
        scope = await stack.enter_async_context(Scope("tracker"))
        if plan.store is not None:
            await _share(plan, server, scope, stack)
        for at in plan.listen:
            await server.start(_host(at), at.port if plan.http else None, at.port if plan.udp else None)
        if plan.metrics is not None:
            await _measure(plan.metrics, MetricsServer(server.stats), stack, plan.json)
        _say_urls(server.urls, plan)
        await _watch(server, stop, plan)
    return stop.code if plan.worker else Exit.OK


async def _share(plan: Plan, server: TrackerServer, scope: Scope, stack: contextlib.AsyncExitStack) -> None:
    keep = 2.5 * plan.options.interval
    log = RedisLog(plan.store or "", keep=keep, name=plan.name)
    stack.push_async_callback(log.close)
    replica = Replica(server.store, log, slot=server.slot, wall=time.time)
    server.shared = lambda: "up" if replica.up else "away"
    await replica.connect()
    server.share_secret(await log.secret(secrets.token_bytes(32)))
    scope.spawn("share", share(replica, output.warn))


async def _measure(at: HostPort, metrics: MetricsServer, stack: contextlib.AsyncExitStack, as_json: bool) -> None:
    found = await metrics.start(at.host or "127.0.0.1", at.port)
    stack.push_async_callback(metrics.close)
    url = f"http://{found}/metrics"
    if as_json:
        output.record({"event": "metrics", "url": url})
    else:
        output.line(f"Numbers: {url}")


async def _with_workers(plan: Plan, count: int, stop: Stop) -> Exit:
    """Start the processes, add up what they say, and start anew those that end."""
    # A fault that all would meet is met here, before there are many of them. Ports that are shared are never in use.
    async with TrackerServer(options=plan.options) as server:
        for at in plan.listen:
            await server.start(_host(at), at.port if plan.http else None, at.port if plan.udp else None)
    log = RedisLog(plan.store or "", keep=0.0, name=plan.name)
    try:
        await log.open()
    finally:
        await log.close()
    async with contextlib.AsyncExitStack() as stack:
        workers = Workers(count, output.warn)
        stack.push_async_callback(workers.close)
        await workers.start()
        if plan.metrics is not None:
            await _measure(plan.metrics, MetricsServer(workers.stats), stack, plan.json)
        _say_urls(workers.urls, plan)
        await _watch(workers, stop, plan)
    return Exit.OK


def _say_urls(urls: tuple[str, ...], plan: Plan) -> None:
    if plan.json:
        output.record({"event": "listening", "urls": urls})
        return
    for url in urls:
        output.line(url)
    hosts = {_host(at) for at in plan.listen}
    if hosts <= {"127.0.0.1", "::1"}:
        output.line("Only this machine can reach it; --listen 0.0.0.0:6969 opens it to others.")
    elif hosts & {"0.0.0.0", "::"}:
        output.line("Others reach it at this machine's own addresses, with the same ports.")
    if plan.options.files.users is not None:
        output.line("KEY stands for the key of a user.")
    output.line("Ctrl-C stops it.")


async def _watch(server: TrackerServer | Workers, stop: Stop, plan: Plan) -> None:
    last: TrackerStats | None = None
    said = trouble = ""
    heard = 0.0
    while not stop.asked:
        stats = server.stats()
        if isinstance(server, TrackerServer) and server.access.trouble != trouble:
            trouble = server.access.trouble
            output.warn(f"{trouble}; the list as it was before is used" if trouble else "the lists are readable again")
        if plan.json:
            if stats != last:
                output.record({"event": "stats", **dataclasses.asdict(stats)})
        else:
            held = f"{plural(stats.torrents, 'torrent')}, {plural(stats.peers, 'peer')}"
            line = f"{held}, {stats.rate:.0f} announces/s" if stats.rate >= 0.5 else held
            busy = stats.rate >= 1.0 and time.monotonic() - heard < _SAY_SECONDS
            if held != said and not busy:
                if said or stats.peers:
                    output.line(line)
                said, heard = held, time.monotonic()
        last = stats
        await stop.pause(LOOK_SECONDS)
