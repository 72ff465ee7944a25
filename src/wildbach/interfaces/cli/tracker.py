"""`wildbach tracker`: an HTTP and UDP tracker, until Ctrl-C."""

from __future__ import annotations

import dataclasses

import click

from wildbach.base.errors import UsageError
from wildbach.interfaces.cli import output, running, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.kinds import HOST_PORT, HostPort, is_literal
from wildbach.interfaces.cli.running import Stop
from wildbach.services.tracker.server import TrackerServer, TrackerStats

LOOK_SECONDS = 1.0


@click.command("tracker")
@click.option(
    "--listen", type=HOST_PORT, default="127.0.0.1:6969", show_default=True,
    help="Address and port for HTTP (TCP) and UDP; port 0 takes any. 0.0.0.0 is every IPv4 address, [::] every one.",
)
@click.option("--no-http", is_flag=True, help="UDP only.")
@click.option("--no-udp", is_flag=True, help="HTTP only.")
@click.option(
    "--interval", type=click.IntRange(30, 6 * 3600), default=1800, show_default=True,
    help="Seconds between the announces of a peer.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: URLs, then numbers.")
def command(listen: HostPort, no_http: bool, no_udp: bool, interval: int, as_json: bool) -> int:
    """Run a tracker (HTTP and UDP).

    It serves every torrent that peers announce, keeps nothing on disk, and runs until Ctrl-C.
    """
    if no_http and no_udp:
        raise UsageError("--no-http and --no-udp together leave nothing to run")
    host = listen.host or "0.0.0.0"
    if not is_literal(host):
        raise UsageError(f"--listen {text.clean(host)}: an address of this machine is needed, not a name")

    async def work(stop: Stop) -> Exit:
        async with TrackerServer(interval=interval) as server:
            await server.start(host, None if no_http else listen.port, None if no_udp else listen.port)
            _say_urls(server, host, as_json)
            await _watch(server, stop, as_json)
        return Exit.OK

    return running.run(work)


def _say_urls(server: TrackerServer, host: str, as_json: bool) -> None:
    urls = [url for url in (server.http_url, server.udp_url) if url is not None]
    if as_json:
        output.record({"event": "listening", "urls": urls})
        return
    for url in urls:
        output.line(url)
    if host in ("127.0.0.1", "::1"):
        output.line("Only this machine can reach it; --listen 0.0.0.0:6969 opens it to others.")
    elif host in ("0.0.0.0", "::"):
        output.line("Others reach it at this machine's own addresses, with the same ports.")
    output.line("Ctrl-C stops it.")


async def _watch(server: TrackerServer, stop: Stop, as_json: bool) -> None:
    last: TrackerStats | None = None
    while not stop.asked:
        stats = server.stats()
        if stats != last and (last is not None or as_json):
            if as_json:
                output.record({"event": "stats", **dataclasses.asdict(stats)})
            elif last is None or (stats.torrents, stats.peers) != (last.torrents, last.peers):
                output.line(f"{text.plural(stats.torrents, 'torrent')}, {text.plural(stats.peers, 'peer')}")
        last = stats
        await stop.pause(LOOK_SECONDS)
