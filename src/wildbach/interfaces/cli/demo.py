"""`wildbach demo`: a tracker, a seed and downloaders on this machine, with a live picture, verified at the end."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.live import Live

from wildbach.base.errors import UsageError
from wildbach.base.words import plural
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import ConnectionSettings, RateSettings, Settings
from wildbach.engine.torrent import Torrent
from wildbach.interfaces import scan, scenery
from wildbach.interfaces.cli import create, demoscene, output, paidemo, running, text
from wildbach.interfaces.cli.demoscene import Actor
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.kinds import SIZE
from wildbach.interfaces.cli.paper import Paper
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.maker import Recipe
from wildbach.protocol.metainfo import Metainfo
from wildbach.runtime.workers import Threads
from wildbach.services.tracker.server import TrackerServer

FRAME_SECONDS = 0.1
LINES_SECONDS = 2.0
PATIENCE_SECONDS = 20.0
"When nothing moved for so long the demo says what is stuck, and ends."

_NAMES = ("ada", "bob", "cyd", "dan", "eve", "fay", "gus", "hal")


@dataclass(frozen=True, slots=True)
class Plan:
    """One demo. `seconds` is how long the transfer shall take about; 0 for as fast as it goes."""

    path: Path | None
    size: int
    downloaders: int
    seconds: float
    keep: Path | None
    as_json: bool


@dataclass
class Client:
    """A session of the demo with its one torrent."""

    name: str
    session: Session
    torrent: Torrent
    folder: Path
    is_seed: bool

    def actor(self) -> Actor:
        view = self.torrent.view()
        return Actor(
            self.name, int.from_bytes(view.pieces_have, "big"), view.pieces, view.progress, view.down_rate,
            view.up_rate, view.peers, self.is_seed,
        )


@dataclass
class Stage:
    """What the demo runs on."""

    work: Path
    torrent: Metainfo
    tracker: TrackerServer
    clients: list[Client] = field(default_factory=list)


@click.command("demo")
@click.argument("path", type=click.Path(path_type=Path, exists=True), required=False)
@click.option("--size", type=SIZE, default="128M", show_default=True, help="How much is made up without PATH.")
@click.option("--downloaders", type=click.IntRange(1, len(_NAMES)), default=3, show_default=True, help="How many.")
@click.option("--seconds", type=click.FloatRange(min=0, max=600), default=15.0, show_default=True,
              help="About how long it shall take; 0 is as fast as it goes.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Work in this folder and leave everything there.")
@click.option("--paid", is_flag=True, help="With a chain of play money: one of the swarm earns what another pays.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of the picture.")
def command(path: Path | None, paid: bool, **values: object) -> int:
    """Watch a whole swarm work on this machine: a tracker, a seed, three downloaders.

    PATH is the content; without it a folder of files is made up. Everything runs on the loopback interface, through
    real sockets and files, and is removed afterwards. At the end each copy is compared with the original, byte by
    byte through SHA-256.
    """
    if paid:
        if path is not None:
            raise UsageError("--paid makes up its own content")
        paidemo.check()
        wanted = paidemo.Plan(*(values[name] for name in ("size", "seconds", "keep", "as_json")))  # type: ignore[arg-type]  # as below
        return running.run(lambda stop: paidemo.perform(wanted, stop))
    plan = Plan(path, **values)  # type: ignore[arg-type]  # click has checked the kinds of the values
    return running.run(lambda stop: perform(plan, stop))


async def perform(plan: Plan, stop: Stop) -> Exit:
    """Set the stage, play, verify."""
    if plan.keep is not None and plan.keep.exists() and any(plan.keep.iterdir()):
        raise UsageError(f"{text.clean(str(plan.keep))} is not empty; --keep needs a folder of its own")
    with contextlib.ExitStack() as stack:
        if plan.keep is not None:
            plan.keep.mkdir(parents=True, exist_ok=True)
            work = plan.keep
        else:
            work = Path(tempfile.mkdtemp(prefix="wildbach-demo-"))
            stack.callback(shutil.rmtree, work, ignore_errors=True)
        threads = Threads(2)
        stack.callback(threads.close)
        content = plan.path.resolve() if plan.path is not None else work / "original" / "a mountain stream"
        if plan.path is None:
            _say(plan, f"making up {text.size(plan.size)} of files")
            await threads.run(scenery.make_content, content, plan.size)
        async with TrackerServer(interval=30) as tracker:
            await tracker.start()
            torrent = await _describe(plan, content, tracker, stop)
            if torrent is None:
                return stop.code
            stage = Stage(work, torrent, tracker)
            began = time.monotonic()
            async with _cast(plan, stage, content, stop):
                code = await _play(plan, stage, stop)
            if code is not Exit.OK:
                return code
            seconds = time.monotonic() - began
        return await threads.run(_compare, plan, stage, content, seconds)


async def _describe(plan: Plan, content: Path, tracker: TrackerServer, stop: Stop) -> Metainfo | None:
    urls = tuple((url,) for url in (tracker.http_url, tracker.udp_url) if url is not None)
    recipe = Recipe(trackers=urls, comment="the wildbach demo")
    torrent = await create.make(scan.scan(content), recipe, stop, quiet=True)
    if torrent is not None:
        count = sum(1 for entry in torrent.info.files if not entry.pad)
        _say(plan, f"a hybrid torrent of {plural(count, 'file')}, {text.size(torrent.info.size)}, "
                   f"{plural(torrent.info.geometry.piece_count, 'piece')}")
        _say(plan, f"tracker: {tracker.http_url} and {tracker.udp_url}")
    return torrent


@contextlib.asynccontextmanager
async def _cast(plan: Plan, stage: Stage, content: Path, stop: Stop) -> AsyncIterator[None]:
    """Start the seed and the downloaders; all are gone afterwards."""
    async with contextlib.AsyncExitStack() as sessions:
        up = int(stage.torrent.info.size * 1.1 / plan.seconds) if plan.seconds else 0
        for number in range(plan.downloaders + 1):
            is_seed = number == 0
            name = "seed" if is_seed else _NAMES[number - 1]
            folder = content.parent if is_seed else stage.work / name
            folder.mkdir(parents=True, exist_ok=True)
            settings = Settings(
                connections=ConnectionSettings(listen=("127.0.0.1:0",)),
                rates=RateSettings(up=up, limit_local=bool(up)),
            )
            session = await sessions.enter_async_context(Session(settings, data_dir=stage.work / "state" / name))
            torrent = await session.add(stage.torrent, AddOptions(save_path=folder, seed_only=is_seed))
            if is_seed:
                await running.unless_stopped(stop, torrent.complete)
            stage.clients.append(Client(name, session, torrent, folder, is_seed))
        yield


async def _play(plan: Plan, stage: Stage, stop: Stop) -> Exit:
    """Show the swarm until every downloader is complete and flushed."""
    began = time.monotonic()
    show = _Show(plan)

    async def watch() -> Exit:
        moved_at, moved = began, 0.0
        while True:
            actors = [client.actor() for client in stage.clients]
            now = time.monotonic()
            show.frame(actors, now - began)
            if all(actor.share >= 1 for actor in actors):
                # The picture is full; complete is what is flushed to the disk as well.
                for client in stage.clients:
                    await client.torrent.complete()
                return Exit.OK
            if (total := sum(actor.share for actor in actors)) != moved:
                moved_at, moved = now, total
            if now - moved_at > PATIENCE_SECONDS:
                _report_stuck(stage)
                return Exit.FAILED
            await stop.pause(FRAME_SECONDS)

    with show:
        code = await running.unless_stopped(stop, watch)
    if code is None:
        return stop.code
    _summary(plan, stage)
    return code


class _Show:
    """The picture in a terminal, plain lines elsewhere, JSON where that is asked for."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._live: Live | None = None
        self._next = 0.0
        if output.is_live() and not plan.as_json:
            self._live = Live(console=Paper(), auto_refresh=False)

    def __enter__(self) -> _Show:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def frame(self, actors: Sequence[Actor], seconds: float) -> None:
        title = f"{seconds:5.1f} s  each client knows only the tracker, and finds the others through it"
        if self._live is not None:
            width = self._live.console.width
            ascii_only = self._live.console.options.ascii_only
            self._live.update(demoscene.picture(title, actors, width, ascii_only=ascii_only), refresh=True)
            return
        if seconds < self._next and not all(actor.share >= 1 for actor in actors):
            return
        self._next = seconds + LINES_SECONDS
        if self._plan.as_json:
            output.record({"event": "frame", "seconds": round(seconds, 2), "clients": [
                {name: value for name, value in dataclasses.asdict(actor).items() if name != "pieces"}
                for actor in actors
            ]})
            return
        for words in demoscene.plain_lines(f"{seconds:.1f} s", actors):
            output.line(words)


def _report_stuck(stage: Stage) -> None:
    for client in stage.clients:
        view = client.torrent.view()
        output.warn(f"{client.name}: {view.state}, {text.percent(view.progress)}: {text.clean(view.reason)}")


def _summary(plan: Plan, stage: Stage) -> None:
    views = [client.torrent.view() for client in stage.clients]
    given = sum(view.uploaded for view in views)
    if not given:
        return
    share = views[0].uploaded / given
    _say(plan, f"the seed gave {share:.0%} of all that moved, the downloaders gave each other the rest")


def _compare(plan: Plan, stage: Stage, content: Path, seconds: float) -> Exit:
    """Hash the original and every copy."""
    whole = demoscene.digest_of(content)
    wrong = []
    for client in stage.clients[1:]:
        copy = demoscene.digest_of(client.folder / stage.torrent.info.name)
        good = copy == whole
        if not good:
            wrong.append(client.name)
        verdict = "equal to the original" if good else "NOT equal to the original"
        _say(plan, f"{'✓' if good else '✗'} {client.name}: {plural(len(copy), 'file')}, {verdict}")
    moved = stage.torrent.info.size * len(stage.clients[1:])
    _say(plan, f"{text.size(moved)} in {seconds:.1f} s, verified by SHA-256")
    if plan.keep is not None:
        _say(plan, f"everything is in {text.clean(str(plan.keep))}")
    if plan.as_json:
        output.record({"event": "finished", "seconds": round(seconds, 2), "moved": moved, "wrong": wrong})
    return Exit.FAILED if wrong else Exit.OK


def _say(plan: Plan, words: str) -> None:
    if not plan.as_json:
        output.line(words)
