"""`wildbach key`: the keys that sites, channels and torrents are published under.

Where a daemon runs it does the work; else the files of its data directory are used themselves. Passphrases and recovery
keys are typed unseen or come by stdin, never on the command line, which every program of this machine can read.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import click
import msgspec

from wildbach.base import limits
from wildbach.base.errors import FormatError, StorageError, UsageError
from wildbach.disk.keys import Keys
from wildbach.interfaces.api import keymodels as km
from wildbach.interfaces.api.keeping import Keyring
from wildbach.interfaces.cli import output, reach, running, said, text, writing
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.cli.state import daemon_folder
from wildbach.interfaces.cli.table import Column, Row
from wildbach.interfaces.client import RemoteApi
from wildbach.runtime.workers import Threads

COLUMNS: Final = (
    Column("NAME"), Column("KEY", style="dim", flexible=True), Column("COPIED", rank=1), Column("RECOVERY KEY"),
)
_CHARS: Final = 1000

KeyApi = Keyring | RemoteApi
M = TypeVar("M", bound=msgspec.Struct)


def run(reach: Reach, work: Callable[[KeyApi], Awaitable[Exit]]) -> int:
    """With the daemon's Api where one runs, else with the files."""
    if reach.runs():
        return reach.run(work)

    async def alone(_stop: Stop) -> Exit:
        threads = Threads(1)
        try:
            return await work(Keyring(Keys(daemon_folder(reach.state)), threads, None, time.time))
        finally:
            threads.close()

    return running.run(alone)


@click.group("key", cls=ListGroup)
def command() -> None:
    """Show, make, copy and replace the keys that sites, channels and torrents are published under.

    Who has a key can publish in its name, and without it nobody can: make a copy of each with `export`. The recovery
    key of each, on paper, is what saves it from a thief: see `recovery` and `rotate`.
    """


@command.command("list")
@reach.options
@reach.as_json
def list_command(as_json: bool, reach: Reach) -> int:
    """Show the keys there are, without their secrets."""
    return run(reach, lambda api: show(api, as_json=as_json))


async def show(api: KeyApi, *, as_json: bool) -> Exit:
    return said.listed((await api.publishing_keys()).keys, COLUMNS, line_of, "There are no keys.", as_json=as_json)


def line_of(key: km.PublishingKey) -> Row:
    if key.next_key:
        held = f"gave way to {key.next_key[:12]}"
    elif not key.recovery:
        held = "none"
    else:
        held = "here: write it down" if key.recovery_here else "on paper"
    return text.clean(key.name), key.public, text.moment(key.exported_at) if key.exported_at else "never", held


@command.command("create")
@click.argument("name")
@reach.options
@reach.as_json
def create_command(name: str, as_json: bool, reach: Reach) -> int:
    """Make a key, with a recovery key.

    Keys are also made when something is first published under them.
    """
    return run(reach, lambda api: create(api, name, as_json=as_json))


async def create(api: KeyApi, name: str, *, as_json: bool) -> Exit:
    key = await api.make_publishing_key(km.PublishingKeyRequest(name))
    if as_json:
        said.record(key)
        return Exit.OK
    output.line(key.public)
    output.line(f"Make a copy now, as a lost disk takes it along: wildbach key export {key.name} -o FILE")
    output.line(f"Write its recovery key down, as only that stops a thief: wildbach key recovery {key.name}")
    return Exit.OK


@command.command("export")
@click.argument("name")
@click.option("-o", "--output", "target", required=True, metavar="FILE", help="The file; - for stdout.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@reach.options
def export_command(name: str, target: str, force: bool, reach: Reach) -> int:
    """Write a copy of a key, sealed with a passphrase.

    The passphrase is asked for, unseen; without a terminal it is the first line of stdin. The recovery key is not in
    the copy.
    """
    if target != "-":
        writing.require_free(Path(target), force=force)
    passphrase = ask("Passphrase of the copy", confirm=True)
    return run(reach, lambda api: export(api, name, target, passphrase))


async def export(api: KeyApi, name: str, target: str, passphrase: str) -> Exit:
    file = await api.export_publishing_key(name, _sealed(km.KeyExport, passphrase=passphrase))
    if target == "-":
        output.line(file.text.rstrip("\n"))
        return Exit.OK
    writing.write_durably(Path(target), file.text.encode())
    output.line(f"{text.clean(target)}: keep it on another disk, and the passphrase somewhere else")
    return Exit.OK


@command.command("import")
@click.argument("file", metavar="FILE")
@click.option("--name", default="", metavar="NAME", help="What it is called here.  [default: as it was]")
@reach.options
@reach.as_json
def import_command(file: str, name: str, as_json: bool, reach: Reach) -> int:
    """Take a key on from a copy.

    The passphrase is asked for, unseen; without a terminal it is the first line of stdin. Publish from one machine
    only: the other one is refused until it adopts what the first has published.
    """
    sealed = read(Path(file))
    passphrase = ask("Passphrase of the copy")
    return run(reach, lambda api: take(api, sealed, passphrase, name, as_json=as_json))


async def take(api: KeyApi, sealed: str, passphrase: str, name: str, *, as_json: bool) -> Exit:
    key = await api.import_publishing_key(_sealed(km.KeyImport, text=sealed, passphrase=passphrase, name=name))
    if as_json:
        said.record(key)
    else:
        output.line(f"{text.clean(key.name)}: {key.public}")
    return Exit.OK


@command.command("recovery")
@click.argument("name")
@click.option("--make", is_flag=True, help="Make one for a key that has none yet.")
@click.option("--erase", is_flag=True, help="Erase it here: it is asked for once more, as it was written down.")
@reach.options
@reach.as_json
def recovery_command(name: str, make: bool, erase: bool, as_json: bool, reach: Reach) -> int:
    """Show the recovery key of a key, to be written down and then erased here with --erase.

    Who steals the key gets its recovery key too while that is on the same disk. It cannot be replaced when it is lost,
    and who has it can take the key over.
    """
    if erase:
        words = ask("The recovery key as you wrote it down", hidden=False)
        return run(reach, lambda api: forget(api, name, words, as_json=as_json))
    return run(reach, lambda api: tell(api, name, make=make, as_json=as_json))


async def tell(api: KeyApi, name: str, *, make: bool, as_json: bool) -> Exit:
    words = await api.recovery_words(name, km.RecoveryWish(make))
    if as_json:
        said.record(words)
        return Exit.OK
    output.line(words.words)
    if sys.stdout.isatty():
        output.line(f"Write it down, then have it erased here: wildbach key recovery {text.clean(name)} --erase")
    return Exit.OK


async def forget(api: KeyApi, name: str, words: str, *, as_json: bool) -> Exit:
    key = await api.erase_recovery(name, _sealed(km.RecoveryWords, words=words))
    if as_json:
        said.record(key)
    else:
        output.line(f"erased: what you wrote down is the only recovery key of {text.clean(key.name)} from now on")
    return Exit.OK


@command.command("rotate")
@click.argument("name")
@click.option("--good", multiple=True, metavar="[SALT:]HASH",
              help="The last torrent that is to be shown, where it is not what was published from here last.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@reach.options
@reach.as_json
def rotate_command(name: str, good: tuple[str, ...], yes: bool, as_json: bool, reach: Reach) -> int:
    """Put a new key in the place of one that was stolen. Its followers move to the new one by themselves.

    It takes the recovery key: from this machine where it was not erased; else it is asked for, or is the first line of
    stdin. What a thief published is shown no more. New readers of the old link cannot be protected: give them the new
    one. It cannot be undone. SALT is text, such as wb-ch for a channel.
    """
    return rotated(name, good, yes=yes, as_json=as_json, reach=reach)


def rotated(name: str, good: tuple[str, ...], *, yes: bool, as_json: bool, reach: Reach) -> int:
    """Ask what has to be asked, and rotate."""
    heads = tuple(_good(one) for one in good)
    if not yes and sys.stdin.isatty():
        click.confirm(f"Put a new key in the place of {text.clean(name)}? It cannot be undone", abort=True)
    try:
        return reach.run(lambda api: rotate(api, name, km.KeyRotation(good=heads), as_json=as_json))
    except UsageError as error:
        words = ask("The recovery key as you wrote it down", hidden=False) if error.code == "recovery_needed" else ""
        if not words:
            raise
    return reach.run(
        lambda api: rotate(api, name, _sealed(km.KeyRotation, words=words, good=heads), as_json=as_json))


async def rotate(api: KeyApi, name: str, rotation: km.KeyRotation, *, as_json: bool) -> Exit:
    done = await api.rotate_publishing_key(name, rotation)
    if as_json:
        said.record(done)
        return Exit.OK
    for link in done.links:
        output.line(link)
    output.line("The new key counts from now on; followers of the old links move to it within a day.")
    if not done.confirmed:
        output.fail("The DHT has not given it back yet. It is stored again; ask for it once more in a while.")
    if not done.good:
        output.fail("No last good torrent is known here: followers keep what they have until you publish.")
    for salt in done.unpublished:
        output.fail(f"Publish again{f' (salt {salt} in hex)' if salt else ''}: the DHT did not take it.")
    output.line(f"Make a copy of the new key: wildbach key export {text.clean(name)} -o FILE")
    output.line(f"Write its recovery key down: wildbach key recovery {text.clean(name)}")
    return Exit.OK


def _good(word: str) -> km.GoodHead:
    salt, _, infohash = word.rpartition(":")
    return _sealed(km.GoodHead, infohash=infohash, salt=salt.encode().hex())


def _sealed(kind: type[M], **values: object) -> M:
    """A model of what a person typed. Raises UsageError, without the secret in its words."""
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise UsageError("that is empty, or too long") from error


def read(path: Path) -> str:
    """The text of a file. Raises StorageError, FormatError."""
    try:
        with path.open("rb") as file:
            raw = file.read(limits.KEY_FILE_BYTES + 1)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror or error}", path=str(path), errno=error.errno or 0) from error
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise FormatError("this is no copy of a key", where=os.path.basename(path)) from error


def ask(words: str, *, confirm: bool = False, hidden: bool = True) -> str:
    """What a person types, or the first line of stdin. Raises UsageError where there is nothing."""
    if sys.stdin.isatty():
        found = str(click.prompt(words, hide_input=hidden, confirmation_prompt=confirm, err=True))
    else:
        found = sys.stdin.readline(_CHARS + 2).rstrip("\r\n")
    if not found:
        raise UsageError(f"{words[0].lower()}{words[1:]} is needed: on a terminal it is asked for, else it is the "
                         "first line of stdin")
    return found
