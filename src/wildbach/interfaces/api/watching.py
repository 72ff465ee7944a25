"""Folders in which torrent files are picked up, and what is done when something happened to a torrent."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import UsageError, WildbachError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import places
from wildbach.interfaces.api.adding import Adding
from wildbach.interfaces.api.core import Core

_LOOK_SECONDS: Final = 3.0
_FILES: Final = 1000
"Files of a folder that are looked at."
_COMMAND_SECONDS: Final = 600.0
_COMMANDS: Final = 4
"Commands that run at the same time."


class Watcher:
    """Looks into the folders of `downloads.watch` every few seconds. A file is taken once it has not changed between
    two looks; it gets the ending `.added`, or `.failed` where it could not be added, so nothing is taken twice.
    """

    def __init__(self, adding: Adding) -> None:
        self._adding = adding
        self._core: Core = adding.core
        self._seen: dict[Path, tuple[int, int]] = {}
        self._said: dict[str, str] = {}

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Once."""
        seen: dict[Path, tuple[int, int]] = {}
        for text in self._core.settings.downloads.watch:
            folder, _, category = text.partition("=")
            try:
                found = await self._core.threads.run(_files, folder)
            except UsageError as error:
                if self._said.get(folder) != error.message:
                    self._said[folder] = error.message
                    self._core.log.write("warning", f"downloads.watch: {error.message}")
                continue
            self._said.pop(folder, None)
            for path, state in found.items():
                if self._seen.get(path) == state:
                    await self._take(path, category)
                else:
                    seen[path] = state
        self._seen = seen

    async def _take(self, path: Path, category: str) -> None:
        try:
            data = await self._core.threads.run(_read, path)
            if path.suffix == ".magnet":
                request = m.AddRequest(
                    urls=tuple(line for line in data.decode("utf-8", "replace").split() if line), category=category)
            else:
                request = m.AddRequest(files=(data,), category=category)
            added = (await self._adding.add_torrents(request)).added
            errors = [one.error for one in added if one.error]
        except WildbachError as error:
            errors = [error.message]
        if errors:
            self._core.log.write("warning", f"{path}: {'; '.join(errors)}")
        await self._core.threads.run(_mark, path, ".failed" if errors else ".added")


def _files(folder: str) -> dict[Path, tuple[int, int]]:
    """Those to be taken, with their size and time. Raises UsageError."""
    found = {}
    place = places.resolve(folder)
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.name.endswith((".torrent", ".magnet")) and entry.is_file(follow_symlinks=False):
                    state = entry.stat(follow_symlinks=False)
                    found[place / entry.name] = (state.st_size, state.st_mtime_ns)
                if len(found) >= _FILES:
                    break
    except OSError as error:
        raise UsageError(f"cannot look into {place}: {error.strerror}") from error
    return found


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limits.TORRENT_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read it: {error.strerror}") from error
    if len(data) > limits.TORRENT_FILE_BYTES:
        raise UsageError("it is larger than a torrent file can be")
    return data


def _mark(path: Path, ending: str) -> None:
    try:
        path.rename(path.with_name(path.name + ending))
    except OSError:
        # The folder may be read-only: then it is at least not taken again and again.
        return


class Hooks:
    """Runs commands when something happened. They come from the configuration file and flags alone."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._gate = asyncio.Semaphore(_COMMANDS)

    def happened(self, command: str, facts: Mapping[str, str]) -> None:
        """Run a command, where there is one. Facts are put in for `{name}`, and are in the environment as
        WILDBACH_NAME.
        """
        if command:
            self._core.scope.spawn("hook", self._run(command, facts), contain=self._core.report)

    async def _run(self, command: str, facts: Mapping[str, str]) -> None:
        try:
            words = split(command, facts)
        except UsageError as error:
            self._core.log.write("error", error.message)
            return
        environ = {**os.environ, **{f"WILDBACH_{name.upper()}": value for name, value in facts.items()}}
        async with self._gate:
            try:
                process = await asyncio.create_subprocess_exec(
                    *words, env=environ, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL)
            except (OSError, ValueError) as error:
                self._core.log.write("error", f"{words[0]} cannot be run: {error}")
                return
            try:
                async with asyncio.timeout(_COMMAND_SECONDS):
                    code = await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
                self._core.log.write("error", f"{words[0]} took longer than {_COMMAND_SECONDS:g} seconds and was ended")
                return
            except asyncio.CancelledError:
                process.kill()
                raise
            if code:
                self._core.log.write("warning", f"{words[0]} ended with code {code}")


def split(command: str, facts: Mapping[str, str]) -> Sequence[str]:
    """The words of a command line, each fact within one word: names of torrents are not read by any shell. Raises
    UsageError.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"the command {command!r} cannot be read: {error}") from error
    if not words:
        raise UsageError("the command is empty")
    out = []
    for word in words:
        for name, value in facts.items():
            word = word.replace("{" + name + "}", value.replace("\0", ""))
        out.append(word)
    return out
