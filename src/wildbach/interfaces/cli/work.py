"""Downloads and seeds under way: one loop that looks at every torrent, shows it, and knows when to end."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from wildbach.base.errors import WildbachError
from wildbach.base.events import Event
from wildbach.engine.events import MutableUpdated, PieceDone
from wildbach.engine.session import Session
from wildbach.engine.torrent import Torrent
from wildbach.engine.views import TorrentView
from wildbach.interfaces.cli import output, text
from wildbach.interfaces.cli.board import Board, Row
from wildbach.interfaces.cli.exits import Exit, code_for
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.selection import Selection
from wildbach.runtime.tasks import Scope

TURN_SECONDS = 0.2
PROGRESS_SECONDS = 1.0
ADVISE_SECONDS = 5.0
"Without any progress, until it is said what could help."
LONELY = "Nobody is known who has it: name a tracker with --tracker URL, or a peer with --peer HOST:PORT."


@dataclass
class Work:
    """What to wait for. `seed`: go on after everything is complete, until `ratio` is reached or somebody stops it."""

    seed: bool = False
    ratio: float | None = None
    timeout: float | None = None
    as_json: bool = False
    quiet: bool = False
    done_word: str = "complete"
    selection: Selection = field(default_factory=lambda: Selection(()))
    complete: set[str] = field(default_factory=set)
    failed: dict[str, WildbachError] = field(default_factory=dict)
    untold: list[Exception] = field(default_factory=list)
    "Why events cannot be printed any more."

    async def follow(self, stop: Stop, session: Session, torrents: list[Torrent]) -> Exit:
        """Until every torrent is complete and flushed or failed, or somebody stops it. One that is published anew
        (BEP 46) meanwhile is replaced in `torrents`.
        """
        for source in session.ip_filter.sources:
            if source.failure and not self.quiet:
                output.warn(f"filter.sources: {text.clean(source.name)}: {text.clean(source.failure)}")
        async with Scope("follow") as scope:
            if self.as_json:
                scope.spawn("events", self._print_events(session), contain=self.untold.append)
            for torrent in torrents:
                scope.spawn(f"wait:{torrent.key}", self._wait(torrent, stop))
            scope.spawn("updates", self._updates(session, torrents, stop, scope), contain=self.untold.append)
            with Board(quiet=self.quiet or self.as_json) as board:
                code = await self._loop(stop, session, torrents, board)
        return code

    async def _wait(self, torrent: Torrent, stop: Stop) -> None:
        try:
            await torrent.metadata()
            if torrent.info is not None:
                self.selection.check(torrent.info)
            await torrent.complete()
        except WildbachError as error:
            self.failed[torrent.key] = error
        else:
            self.complete.add(torrent.key)
        stop.nudge()

    async def _updates(self, session: Session, torrents: list[Torrent], stop: Stop, scope: Scope) -> None:
        with session.subscribe(MutableUpdated) as changes:
            async for event in changes:
                former = [torrent.key for torrent in torrents]
                fresh = session.torrent(event.torrent) if isinstance(event, MutableUpdated) else None
                if fresh is not None and isinstance(event, MutableUpdated) and event.former in former:
                    torrents[former.index(event.former)] = fresh
                    scope.spawn(f"wait:{fresh.key}", self._wait(fresh, stop))

    async def _print_events(self, session: Session) -> None:
        with session.subscribe(Event) as events:
            async for event in events:
                # Thousands of pieces are no news; `progress` counts them.
                if not isinstance(event, PieceDone):
                    output.record(event.to_dict())

    async def _loop(self, stop: Stop, session: Session, torrents: Sequence[Torrent], board: Board) -> Exit:
        said: set[str] = set()
        told_at = 0.0
        moved_at, moved = time.monotonic(), -1
        advised = False
        while True:
            # A moment first: what has just been added says nothing yet.
            await stop.pause(TURN_SECONDS)
            if self.untold:
                raise self.untold[0]
            now = time.monotonic()
            views = [torrent.view() for torrent in torrents]
            board.show([row_of(view, view.key in self.complete) for view in views], now)
            if self.as_json and now - told_at >= PROGRESS_SECONDS:
                told_at = now
                for view in views:
                    output.record(progress_of(view))
            for torrent, view in zip(torrents, views, strict=True):
                if torrent.key not in said and (torrent.key in self.complete or torrent.key in self.failed):
                    said.add(torrent.key)
                    self._say_end(torrent, view, board)
            all_said = all(torrent.key in said for torrent in torrents)
            if all_said and self._finished(views):
                return self._code()
            if stop.asked:
                return self._code() if all_said else stop.code
            total = sum(view.downloaded + view.done for view in views)
            if total != moved:
                moved_at, moved = now, total
            if self.timeout is not None and now - moved_at >= self.timeout and not all_said:
                output.fail(f"nothing arrived for {self.timeout:g} seconds: {_reasons(views)}")
                if _lonely(session, torrents):
                    output.advise(LONELY)
                return Exit.NETWORK
            if not advised and self.timeout is None and now - moved_at >= ADVISE_SECONDS and (
                _lonely(session, torrents)
            ):
                advised = True
                if not self.as_json and not self.quiet:
                    board.say(LONELY)

    def _finished(self, views: Sequence[TorrentView]) -> bool:
        if not self.seed or len(self.failed) == len(views):
            return True
        return self.ratio is not None and all(view.uploaded >= self.ratio * view.wanted for view in views)

    def _code(self) -> Exit:
        return code_for(next(iter(self.failed.values()))) if self.failed else Exit.OK

    def _say_end(self, torrent: Torrent, view: TorrentView, board: Board) -> None:
        error = self.failed.get(torrent.key)
        if error is not None:
            output.explain(error, view.name)
        elif not self.as_json and not self.quiet:
            board.say(f"{self.done_word}: {text.clean(os.path.join(view.save_path, view.name))}")


def row_of(view: TorrentView, complete: bool) -> Row:
    """What a person sees of a torrent. While it is checked, `progress` is that of the check."""
    return Row(
        name=view.name, state=view.state, done=int(view.progress * view.wanted), wanted=view.wanted,
        down=view.down_rate, up=view.up_rate, peers=view.peers, eta=view.eta, complete=complete, why=view.reason,
    )


def progress_of(view: TorrentView) -> dict[str, object]:
    """The JSON form of a snapshot: its fields, without the pieces."""
    facts = {"event": "progress", **dataclasses.asdict(view)}
    del facts["pieces_have"]
    return facts


def _lonely(session: Session, torrents: Sequence[Torrent]) -> bool:
    """One of them looks for peers and has nobody to ask; that nothing can leave is another matter."""
    return not session.network.obstacle and any(
        view.state in ("metadata", "downloading") and not view.peers and not view.known_peers and not torrent.trackers()
        for torrent in torrents for view in (torrent.view(),)
    )


def _reasons(views: Sequence[TorrentView]) -> str:
    return text.clean("; ".join(dict.fromkeys(view.reason for view in views if view.reason)) or "no reason is known")
