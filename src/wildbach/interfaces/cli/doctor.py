"""`wildbach doctor`: looks at the machine, the disk and the network, and says what is wrong and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import click
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wildbach.base.errors import NetworkError, StorageError, UsageError
from wildbach.base.logins import hide_logins
from wildbach.base.words import plural
from wildbach.disk.probe import probe
from wildbach.engine.ipfilter import bad_sources
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.torrent import Torrent
from wildbach.interfaces import checkup
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.checkup import Finding, Level
from wildbach.interfaces.cli import fetching, folders, output, reach, running, text
from wildbach.interfaces.cli.exits import Exit, hint_for
from wildbach.interfaces.cli.paper import Paper
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.cli.state import state_folder
from wildbach.interfaces.cli.wishes import Wishes, network, variable_warnings
from wildbach.net.machine import examine
from wildbach.protocol.metainfo import MutableLink
from wildbach.runtime.workers import Threads

LOOK_SECONDS = 0.1
NAMES_SECONDS = 5.0
_MARKS = {Level.GOOD: ("✓", "green"), Level.NOTE: ("·", "cyan"), Level.WARNING: ("!", "yellow"),
          Level.FAULT: ("✗", "red")}
_LEVELS = {"good": Level.GOOD, "note": Level.NOTE, "warning": Level.WARNING, "bad": Level.FAULT}
"What the Api calls them."


@click.command("doctor")
@click.argument("torrents", nargs=-1, metavar="[TORRENT]...")
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), default=".", metavar="DIR",
              help="The folder for downloads, whose disk is measured.  [default: this folder]")
@click.option("--seconds", type=click.FloatRange(0.5, 300), default=15.0, show_default=True,
              help="How long to wait for answers from the network.")
@click.option("--daemon", "ask_daemon", is_flag=True,
              help="Ask the daemon that runs, which looks at its own ports, disk and router.")
@reach.options_but_state
@network
def command(
    torrents: tuple[str, ...], folder: Path, seconds: float, ask_daemon: bool, wishes: Wishes, reach: Reach,
) -> int:
    """Look for what could be wrong, and say what to do about it.

    The machine, the disk, the ports and the router, whose ports are given back at the end; with TORRENT, its trackers
    too. Nothing is downloaded and no torrent is announced. Exit code 0 means that nothing is at fault.
    """
    if ask_daemon:
        return replace(reach, state=wishes.state).run(lambda api: ask(api, wishes))

    async def work(stop: Stop) -> Exit:
        tally: Counter[Level] = Counter()
        async for finding in _look(torrents, folder, wishes, seconds, stop):
            tally[finding.level] += 1
            _show(finding, wishes)
        if stop.asked:
            return stop.code
        if not wishes.as_json:
            output.line(_verdict(tally))
        return Exit.FAILED if tally[Level.FAULT] else Exit.OK

    return running.run(work)


async def ask(api: Api, wishes: Wishes) -> Exit:
    """What a daemon finds."""
    found = [Finding(one.area, _LEVELS[one.mark], one.text, one.advice) for one in (await api.doctor()).findings]
    for finding in found:
        _show(finding, wishes)
    tally = Counter(finding.level for finding in found)
    if not wishes.as_json:
        output.line(_verdict(tally))
    return Exit.FAILED if tally[Level.FAULT] else Exit.OK


async def _look(
    names: tuple[str, ...], folder: Path, wishes: Wishes, seconds: float, stop: Stop,
) -> AsyncIterator[Finding]:
    settings = wishes.settings()
    loaded = [one for one in await fetching.load_all(names, settings) if not isinstance(one, MutableLink)]
    if len(loaded) < len(names):
        raise UsageError("doctor looks at torrents; a link to one that changes is followed by `wildbach get`")
    folders.check(folder)
    for words in variable_warnings():
        yield Finding("settings", Level.WARNING, words, "`env | grep WILDBACH_` shows what is set")
    threads = Threads(2)
    try:
        for found in checkup.of_machine(await threads.run(examine)):
            yield found
        for place, what in ((folder, "downloads"), (state_folder(wishes.state), "state")):
            try:
                measured = await threads.run(probe, place.absolute())
            except StorageError as error:
                yield Finding("disk", Level.FAULT, f"{what}: {error.message}", "choose another folder, or mend it")
                continue
            for found in checkup.of_disk(measured, what):
                yield found
        bad = await threads.run(bad_sources, settings.filter.sources)
    finally:
        threads.close()
    for found in checkup.of_bad_lists(bad):
        yield found
    # All else can be looked at without them.
    settings = replace(settings, filter=replace(
        settings.filter, sources=tuple(name for name in settings.filter.sources if name not in bad)))
    try:
        async with Session(settings) as session:
            ways = await session.examine_network(min(seconds, NAMES_SECONDS))
            for found in checkup.of_network(ways):
                yield found
            for found in checkup.of_filter(await session.reload_ip_filter()):
                yield found
            for found in checkup.of_ports(settings.connections.listen, session.listening, ways):
                yield found
            for found in await _ask_router(session, seconds, stop):
                yield found
            torrents = [await session.add(one, AddOptions(save_path=folder, paused=True)) for one in loaded]
            for torrent in torrents:
                for found in await _ask_trackers(torrent, seconds, stop):
                    yield found
            for found in checkup.of_flows(session.flows):
                yield found
    except NetworkError as error:
        advice = hint_for(error) or "choose another port or address with --listen"
        yield Finding("ports", Level.FAULT, error.message, advice)


async def _ask_router(session: Session, seconds: float, stop: Stop) -> list[Finding]:
    for _ in range(int(seconds / LOOK_SECONDS)):
        if stop.asked or all(view.state != "searching" for view in session.discovery.ports):
            break
        await stop.pause(LOOK_SECONDS)
    return checkup.of_mapping(session.discovery.ports, bound=bool(session.network.interface))


async def _ask_trackers(torrent: Torrent, seconds: float, stop: Stop) -> list[Finding]:
    for tracker in torrent.trackers():
        torrent.scrape(tracker.url)
    for _ in range(int(seconds / LOOK_SECONDS)):
        if stop.asked or all(view.scrape for view in torrent.trackers()):
            break
        await stop.pause(LOOK_SECONDS)
    return checkup.of_trackers(torrent.trackers())


def _show(finding: Finding, wishes: Wishes) -> None:
    told, advice = hide_logins(finding.text), hide_logins(finding.advice)
    if wishes.as_json:
        output.record({
            "event": "finding", "area": finding.area, "level": finding.level.value, "text": told, "advice": advice,
        })
        return
    if wishes.quiet and finding.level in (Level.GOOD, Level.NOTE):
        return
    mark, style = _MARKS[finding.level]
    console = Paper()
    words = Text.assemble((f"{finding.area}: ", "bold"), text.clean(told))
    hint = Text(text.clean(advice), "dim")
    if output.is_live():
        # Folded at words, and behind the marks; where a program reads, a line stays a line.
        table = Table.grid()
        table.add_column(width=2)
        table.add_column()
        table.add_row(Text(mark, style), words)
        if advice:
            table.add_row("", Padding(hint, (0, 0, 0, 2)))
        console.print(table)
        return
    console.print(Text.assemble((f"{mark} ", style), words), soft_wrap=True)
    if advice:
        console.print(Text.assemble("    ", hint), soft_wrap=True)


def _verdict(tally: Counter[Level]) -> str:
    if tally[Level.FAULT]:
        return f"{plural(tally[Level.FAULT], 'fault')}, {plural(tally[Level.WARNING], 'warning')}."
    if tally[Level.WARNING]:
        return f"Nothing is at fault; {plural(tally[Level.WARNING], 'warning')}."
    return "All is well."
