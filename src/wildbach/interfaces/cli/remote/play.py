"""`wildbach play`: a film or a song in a player, while it comes.

With the daemon that runs, or with one of its own for as long as it plays.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.live import Live
from rich.text import Text

from wildbach.base import limits
from wildbach.base.errors import UsageError, WildbachError
from wildbach.interfaces.api import playmodels as pm
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import links, naming, output, players, reach, running, sources, table, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.given import Given
from wildbach.interfaces.cli.players import Ask
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.cli.state import daemon_folder
from wildbach.runtime.tasks import Scope

_LOOK_SECONDS: Final = 0.5
_KEEP_SECONDS: Final = 5.0
"How often it is told how far somebody got."
_TIME: Final = re.compile(r"(?:(?:(\d{1,3}):)?([0-5]?\d):)?(\d{1,7}(?:\.\d{1,3})?)", re.ASCII)
_BAR: Final = 40


@dataclass(frozen=True, slots=True)
class Wish:
    """The command line."""

    file: str = ""
    player: str = ""
    audio: str = ""
    subtitle: str = ""
    offset: float | None = None
    start: float | None = None
    delete_after: bool = False
    following: bool = True
    peers: tuple[str, ...] = ()
    qr: bool | None = None

    @property
    def names_a_file(self) -> bool:
        """The subtitle is a file or a URL, and no language."""
        return "://" in self.subtitle or os.path.isfile(self.subtitle)


class TimeType(click.ParamType[float]):
    """Seconds, `MM:SS` or `H:MM:SS`."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = _TIME.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"{text.clean(str(value))!r} is no time: write 90, 1:30 or 1:02:03", param, ctx)
        return int(found[1] or 0) * 3600 + int(found[2] or 0) * 60 + float(found[3])


@click.command("play")
@click.argument("source", metavar="SOURCE")
@click.option("--file", "file", default="", metavar="N|PATTERN",
              help="Which file: its number as `info` prints it, a pattern (*E02*) or a part of its name.  "
              "[default: the first episode that was not seen, or the longest film]")
@click.option("--player", type=click.Choice(players.PLAYERS), default=None,
              help="`none` prints the URL.  [default: mpv, vlc, or the browser, whichever is there]")
@click.option("--audio", default="", metavar="LANG", help="The language of the audio track: en, de …")
@click.option("--subs", "subtitle", default="", metavar="FILE|LANG", help="A subtitle file, or a language.")
@click.option("--sub-offset", "offset", type=float, default=None, metavar="S",
              help="Show subtitles so many seconds later; earlier where it is negative.")
@click.option("--from", "start", type=TimeType(), default=None, metavar="TIME",
              help="Begin there: 90, 1:30, 1:02:03.  [default: where it was left]")
@click.option("--delete-after", is_flag=True, help="Remove the torrent with its files once all of it was seen.")
@click.option("--next/--no-next", "following", default=True, help="Go on with the next episode.")
@click.option("--peer", "peers", multiple=True, metavar="ADDRESS:PORT", help="Connect to this peer; may be repeated.")
@links.qr_option
@reach.options
def command(
    source: str, file: str, player: str | None, audio: str, subtitle: str, offset: float | None, start: float | None,
    delete_after: bool, following: bool, peers: tuple[str, ...], qr: bool | None, reach: Reach,
) -> int:
    """Play a film or a song while it comes.

    SOURCE is a torrent file, a magnet link, an info hash, an http(s) URL, or a torrent of the daemon by its name or the
    beginning of its key. Of a torrent that is added for it only what is played is fetched. Where no daemon runs, one
    runs until the player ends. Where you were is remembered (of VLC and of browsers outside the web interface it is
    not); Ctrl-C ends cleanly.
    """
    chosen = player or players.first_there()
    if chosen in ("mpv", "vlc"):
        players.find(chosen)
    wish = Wish(file, chosen, audio, subtitle, offset, start, delete_after, following, peers, qr)

    async def work(stop: Stop) -> Exit:
        done = await running.unless_stopped(stop, lambda: _play(source, wish, reach))
        return stop.code if done is None else done

    return running.run(work)


async def _play(source: str, wish: Wish, reach: Reach) -> Exit:
    async with _opened(reach) as (api, root, own):
        request = await _request(api, source, wish)
        while True:
            play = await _known(api, await api.start_play(request))
            if play.file is None or not play.url:
                raise UsageError((await api.media()).problem or "players cannot fetch anything", code="no_media")
            output.line(text.clean(f"playing {play.file.name} of {play.name}"))
            ended = await _Session(api, play, wish).run(root, own=own)
            if ended is None:
                return Exit.OK
            following = await api.play(play.id)
            await _end(api, play)
            if not (ended and wish.following and following.following is not None):
                return Exit.OK
            # What was said of the first one goes for it alone.
            wish = replace(wish, start=None, file="", subtitle="" if wish.names_a_file else wish.subtitle)
            request = pm.PlayRequest(
                play.key, index=following.following.index, delete_after=wish.delete_after)


@contextlib.asynccontextmanager
async def _opened(reach: Reach) -> AsyncIterator[tuple[Api, str, bool]]:
    """The Api, where browsers reach it, and whether it is our own."""
    if reach.runs():
        async with reach.open() as api:
            yield api, "" if reach.opener is not None else reach.address(), False
        return
    from wildbach.interfaces.daemon import run_daemon  # noqa: PLC0415 - start-up time: mostly a daemon runs

    output.line("No daemon runs: this command is one until the player ends.")
    given = Given()
    given.put("api.listen", ("127.0.0.1:0",), "play")
    async with run_daemon(given.layers(), daemon_folder(reach.state)) as daemon:
        await daemon.loaded.wait()
        yield daemon.api, daemon.urls[0], True


async def _request(api: Api, source: str, wish: Wish) -> pm.PlayRequest:
    index = int(wish.file) if wish.file.isascii() and wish.file.isdecimal() and len(wish.file) < 8 else None
    request = pm.PlayRequest(
        index=index, name="" if index is not None else wish.file, delete_after=wish.delete_after, peers=wish.peers)
    if sources.is_url(source) or source.lower().startswith("magnet:"):
        return msgspec.structs.replace(request, url=source)
    if sources.is_file(source):
        data = sources.read(source)
        if data[:7].lower() == b"magnet:":
            return msgspec.structs.replace(request, url=data.decode("utf-8", "replace").strip())
        return msgspec.structs.replace(request, torrent=data)
    try:
        return msgspec.structs.replace(request, key=(await naming.one(api, source)).key)
    except UsageError as error:
        if error.code == "not_found" and sources.is_hash(source):
            return msgspec.structs.replace(request, url=source)
        raise


async def _known(api: Api, play: pm.Play) -> pm.Play:
    """Once the metadata is here."""
    with _Board() as board:
        while play.file is None:
            board.show(play)
            await asyncio.sleep(_LOOK_SECONDS)
            play = await api.play(play.id)
    return play


async def _end(api: Api, play: pm.Play) -> None:
    if (await api.end_play(play.id)).removed:
        output.line(text.clean(f"all of it was seen: removed {play.name}"))


class _Board:
    """How it comes, in one line; on a terminal always the same one."""

    def __init__(self) -> None:
        self._live = Live(console=table.console(), auto_refresh=False, transient=True) if output.is_live() else None
        self._said = ""

    def __enter__(self) -> _Board:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, play: pm.Play) -> None:
        if self._live is not None:
            self._live.update(Text(words(play), no_wrap=True, overflow="ellipsis"), refresh=True)
            return
        plain = text.without_numbers(f"{play.state} {play.reason}")
        if plain != self._said:
            self._said = plain
            output.line(words(play))


def words(play: pm.Play) -> str:
    """A line about a play: `ready · 12.0 MiB ahead · 40.1 % · ↓ 3.0 MiB/s · 5 peers`."""
    parts = [{
        "metadata": "looking for the metadata", "checking": "checking the files", "waiting": "waiting",
        "ready": "playing" if play.players else "ready", "complete": "complete", "stopped": "stopped",
    }[play.state]]
    if play.file is not None and play.state != "complete":
        parts.append(f"{text.size(max(0, play.ready_until - play.at))} ahead")
        parts.append(text.percent(play.file.have / play.file.size if play.file.size else 1.0))
    parts += [f"↓ {text.rate(play.down_rate)}", f"{play.peers} peer{'' if play.peers == 1 else 's'}"]
    if play.reason:
        parts.append(text.clean(play.reason))
    return " · ".join(parts)


class _Session:
    """One file in one player."""

    def __init__(self, api: Api, play: pm.Play, wish: Wish) -> None:
        if play.file is None:
            raise UsageError("the metadata is not here yet", code="no_metadata")
        self._api = api
        self._play = play
        self._file = play.file
        self._wish = wish
        self._told: dict[str, float | str] = {}

    async def run(self, root: str, *, own: bool) -> bool | None:
        """Whether it was played to its end; None where nobody here can know."""
        match self._wish.player:
            case "mpv":
                return await self._mpv()
            case "vlc":
                return await self._vlc()
            case "browser":
                await self._browse(root)
            case _:
                self._print()
        if own:
            output.line("It can be fetched until Ctrl-C.")
            await self._watch(None)
        return None

    def _print(self) -> None:
        play = self._play
        near, _, path = play.url.partition("://")
        host, _, path = path.partition("/")
        away = play.away_url.removesuffix(f"/{path}") if play.away_url else ""
        for line in links.lines(f"{near}://{host}", away, path, qr=self._wish.qr):
            output.line(line)

    async def _browse(self, root: str) -> None:
        """The player page of the web interface; without one the file itself."""
        if not root.startswith(("http://", "https://")):
            links.browse(self._play.browser_url)
            output.line(self._play.browser_url)
            return
        page = f"play/{self._play.key}/{self._file.index}"
        url = f"{root.rstrip('/')}/{(await self._api.make_start_link()).path}/{page}"
        output.line(url)
        links.browse(url)

    def _ask(self) -> Ask:
        wish, file, position = self._wish, self._file, self._file.position
        subtitles, language = self._subtitles()
        title = f"{file.label} · {file.name}" if file.label else file.name
        return Ask(
            self._play.url, title, position.resume if wish.start is None else wish.start,
            wish.audio or position.audio, subtitles, language,
            position.subtitle_offset if wish.offset is None else wish.offset, position.speed)

    def _subtitles(self) -> tuple[tuple[str, ...], str]:
        """Files, the one that is shown first; and the language that was asked for."""
        word = self._wish.subtitle or self._file.position.subtitle
        base = self._play.url[: -len(self._file.path)]
        ours = [(text.language, base + text.path) for text in self._file.subtitles]
        if self._wish.names_a_file:
            return (word if "://" in word else str(Path(word).absolute()), *(url for _, url in ours)), ""
        if self._wish.subtitle and (os.sep in word or "." in word):
            raise UsageError(f"{text.clean(word)}: there is no such subtitle file")
        ours.sort(key=lambda one: one[0] != word)
        return tuple(url for _, url in ours), word

    async def _mpv(self) -> bool:
        async with players.mpv(players.find("mpv"), self._ask()) as player, Scope("player") as scope:
            listening = scope.spawn("listen", player.listen())
            try:
                await self._watch(player)
                # What it said last is still to be heard.
                await asyncio.wait([listening], timeout=1.0)
            finally:
                # Also where somebody pressed Ctrl-C: where one was is what matters most then.
                await self._keep(player.seen.values)
            if player.seen.failed or (player.process.returncode and not player.seen.values):
                raise UsageError(
                    f"mpv could not play it: {player.seen.failed or f'it ended with {player.process.returncode}'}",
                    code="player_failed")
            return player.seen.ended

    async def _vlc(self) -> bool:
        async with players.running(players.vlc_arguments(players.find("vlc"), self._ask())) as process:
            await self._watch(process)
        return False

    async def _watch(self, player: players.Mpv | asyncio.subprocess.Process | None) -> None:
        """Until the player ends; without one for ever."""
        process = player.process if isinstance(player, players.Mpv) else player
        kept = asyncio.get_running_loop().time()
        with _Board() as board:
            while process is None or process.returncode is None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await (process.wait() if process is not None else asyncio.Event().wait())
                board.show(await self._api.play(self._play.id))
                now = asyncio.get_running_loop().time()
                if isinstance(player, players.Mpv) and now - kept >= _KEEP_SECONDS:
                    kept = now
                    await self._keep(player.seen.values)

    async def _keep(self, values: dict[str, float | str]) -> None:
        """Tell how far it came, where that is news."""
        if not values.get("seconds") or values == self._told:
            return
        self._told = dict(values)
        try:
            await self._api.put_watched(msgspec.convert(
                {"key": self._play.key, "index": self._file.index, **values}, pm.Watched))
        except WildbachError as error:
            output.warn(text.clean(f"where you are is not remembered: {error.message[:limits.PLAY_NAME_CHARS]}"))
