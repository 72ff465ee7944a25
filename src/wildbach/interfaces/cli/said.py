"""What came of things that were done to torrents, and jobs that take a while."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec
from rich.live import Live
from rich.text import Text

from wildbach.base.errors import FormatError, LimitError, NetworkError, StorageError, UsageError, WildbachError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, table, text
from wildbach.interfaces.cli.exits import Exit, code_for
from wildbach.interfaces.cli.naming import SHORT
from wildbach.interfaces.cli.table import Column, Row

T = TypeVar("T", bound=msgspec.Struct)

_LOOK_SECONDS: Final = 0.3
_TELL_SECONDS: Final = 5.0
_SHOWN: Final = 10
_KINDS: Final[tuple[type[WildbachError], ...]] = (UsageError, FormatError, LimitError, NetworkError, StorageError)


def record(value: msgspec.Struct) -> None:
    """A model as one JSON object."""
    output.record(msgspec.to_builtins(value))


def records(values: Sequence[msgspec.Struct]) -> None:
    for value in values:
        record(value)


def listed(
    values: Sequence[T], columns: Sequence[Column], row_of: Callable[[T], Row], nothing: str, *, as_json: bool,
) -> Exit:
    """All of them: records for programs, a table for people, who are told in words where there is `nothing`."""
    if as_json:
        records(values)
    elif values:
        table.show(columns, [row_of(one) for one in values])
    else:
        output.line(nothing)
    return Exit.OK


def outcome(came: m.Outcome, words: str, *, as_json: bool) -> Exit:
    """Say what was done (`words`, as a line), and what was not."""
    if as_json:
        record(came)
    elif came.done:
        output.line(words)
    for failure in came.failed:
        output.fail(text.clean(f"{failure.key[:SHORT]}: {failure.error}"))
    return Exit.FAILED if came.failed or not came.done else Exit.OK


def exit_of(code: str) -> Exit:
    """The exit code for an error of which only its `code` is known."""
    kind = next((kind for kind in _KINDS if kind.code == code), None)
    return code_for(kind("")) if kind is not None else Exit.FAILED


def share(job: m.Job) -> str:
    return text.percent(job.progress) if job.progress is not None else ""


async def follow(api: Api, jobs: Sequence[m.Job], *, as_json: bool) -> list[m.Job]:
    """Show how they go until all have ended; as they then are."""
    wanted = {job.id: job for job in jobs}
    with contextlib.ExitStack() as stack:
        live = None
        if output.is_live() and not as_json:
            live = stack.enter_context(Live(console=table.console(), auto_refresh=False, transient=True))
        told_at = time.monotonic()
        while any(job.state == "running" for job in wanted.values()):
            running = [job for job in wanted.values() if job.state == "running"]
            if live is not None:
                live.update(Text("\n".join(map(words, running[:_SHOWN])), no_wrap=True), refresh=True)
            elif not as_json and time.monotonic() - told_at >= _TELL_SECONDS:
                told_at = time.monotonic()
                for job in running[:_SHOWN]:
                    output.line(words(job))
            await asyncio.sleep(_LOOK_SECONDS)
            there = {job.id: job for job in (await api.jobs()).jobs}
            for key, job in wanted.items():
                # One that somebody removed from the list has ended.
                wanted[key] = there.get(key) or msgspec.structs.replace(job, state="cancelled")
    return list(wanted.values())


def words(job: m.Job) -> str:
    """A line about a job."""
    return text.clean(" ".join(part for part in (f"{job.title}:", share(job), job.message) if part))


def ended(job: m.Job) -> Exit:
    """Say how a job ended, where it did not end well."""
    if job.state == "done":
        return Exit.OK
    why = f": {job.message}" if job.message else ""
    output.fail(text.clean(f"{job.title}: {'was ended' if job.state == 'cancelled' else 'failed'}{why}"))
    return Exit.FAILED
