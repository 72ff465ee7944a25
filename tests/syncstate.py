"""What a daemon that keeps folders the same has in hand, written down by itself when a test asks for it (SIGUSR1).

For tests that waited in vain: it looks at the parts from outside, on the loop's thread, and changes nothing.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CoroutineType, FrameType

from wildbach.services.sync.finding import Finder
from wildbach.services.sync.folder import Folder

_MOST = 12
"Of one kind of things."


def listen(path: str) -> None:
    """Write to this file when SIGUSR1 comes; it is there whole or not at all."""
    def write(_number: int, _frame: FrameType | None) -> None:
        beside = Path(path + "~")
        beside.write_text("\n".join(_all()))
        beside.rename(path)

    signal.signal(signal.SIGUSR1, write)


def _all() -> Iterator[str]:
    parts = gc.get_objects()
    for part in parts:
        if isinstance(part, Folder):
            yield from _folder(part)
    for part in parts:
        if isinstance(part, Finder):
            yield from _finder(part)
    yield "tasks:"
    for task in asyncio.all_tasks(asyncio.get_running_loop()):
        if "sync" in task.get_name():
            yield f"  {task.get_name()}: {' > '.join(_awaits(task.get_coro()))}"
    names = {each.ident: each.name for each in threading.enumerate()}
    yield "threads:"
    for ident, frame in sys._current_frames().items():
        stack = traceback.extract_stack(frame, limit=None)[-4:]
        if ident != threading.get_ident() and stack[-1].name not in ("_worker", "wait"):
            yield f"  {names.get(ident)}: " + " < ".join(
                f"{each.name}:{each.lineno} {Path(each.filename).name}" for each in reversed(stack))


def _awaits(work: object) -> Iterator[str]:
    """Where a coroutine waits, the innermost last."""
    while isinstance(work, CoroutineType):
        frame = work.cr_frame
        if frame is not None:
            yield f"{frame.f_code.co_name}:{frame.f_lineno} {Path(frame.f_code.co_filename).name}"
        work = work.cr_await


def _few(things: Iterable[object]) -> str:
    found = list(things)
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return ", ".join(str(each) for each in found[:_MOST]) + more or "-"


def _folder(one: Folder) -> Iterator[str]:
    now, store, fetching, transfers = time.monotonic(), one.store, one._fetching, one.transfers
    yield f"folder {one.id.hex()[:8]} at {one.path}: {one.state}, {one.problem}, {one.standing}"
    times = {name: round(getattr(one, name) - now, 1) for name in (
        "_next_scan", "_retry_at", "_settle_at", "_merge_at", "_scan_after", "_open_at") if getattr(one, name)}
    yield (f"  wake {one._wake.is_set()}, dead {one._dead}, looked {one._looked}, scanning {one._scanning}, "
           f"dirty [{_few(sorted(one._dirty))}], in {times}")
    yield f"  inbox {len(one._inbox)}, calls {len(one._calls)}, lists {len(one._lists)}, asking {one._asking}"
    yield f"  marks: {_few(store.marked(100))}"
    yield f"  holds: {_few(store.read('SELECT path, why, unixepoch() - since FROM holds'))}"
    for device, link in one.links.items():
        session = link.session
        yield (f"  link {device.hex()[:8]}: open {link in one._open_links}, tag {link.tag.hex()[:8]}, {session.way} "
               f"{session.remote}, rank {session.rank[:2]}, over {session.over}, queued {session.queued}, unheard "
               f"{session._unheard}, slowed {session._slowed}, channels {_few(each.number for each in link.channels)}, "
               f"said {one.told.get(device)}")
    for device, peer in list(one._exchange._peers.items()):
        yield (f"  peer {device.hex()[:8]}: index {peer.index.hex()[:8]}, have {peer.have}, upto {peer.upto}, sent "
               f"{peer.sent} of {store._last}, waiting {peer.waiting.size}, parked {peer.parked}, compared "
               f"{peer.compared}, queue {len(peer.queue)}")
    for coming in list(fetching._coming.values())[:_MOST]:
        yield (f"  asked for {coming.file[0].hex()[:8]} of {coming.file[1]}: pending {len(coming.pending)}, paths "
               f"{_few(sorted(coming.paths))}")
    yield (f"  fetching: slow {len(fetching._slow)}, refusing {fetching._refusing}, asked "
           f"{_few(fetching._asked.values())}, came {len(fetching._came)}, nowhere {len(fetching._nowhere)}, later "
           f"{_few(fetching._later)}")
    for fetched in list(transfers.coming.values()):
        yield (f"  transfer {fetched.id.key[:8]} of {fetched.id.size}: {fetched.fetch and fetched.fetch.progress}, "
               f"linked {len(fetched.linked)}, paths {_few(sorted(fetched.paths))}")
    yield (f"  transfers: wanted {len(transfers._wanted)}, waiting {sum(map(len, transfers._waiting.values()))}, "
           f"arrived {len(transfers._arrived)}, serving {_few(file[0].hex()[:8] for file in transfers._serving)}, open "
           f"{_few(transfers._contents._open)}")
    watch = one.watched._watch
    if watch is not None:
        yield (f"  watch: {len(watch._inotify)} directories, busy {watch._busy is not None}, quiet in "
               f"[{_few(watch._dirty._paths)}]")
    if one.watched.reason:
        yield f"  not watched: {one.watched.reason}"
    for event in list(one.events)[-_MOST:]:
        yield f"  {time.time() - event.at:.1f} s ago: {event.what} {event.path}"


def _finder(one: Finder) -> Iterator[str]:
    now = one._clock()
    for name, each in one._seeking.items():
        calls = [f"{known.endpoint} in {known.due - now:.1f} s, failed {known.fails}, flying {known.flying}"
                 for known in each.candidates._all.values()]
        yield f"sought {name.hex()[:8]}: met {each.met}, calling {each.calling}, {_few(calls)}"
