"""`wildbach rm`: torrents out of the list."""

from __future__ import annotations

import sys

import click

from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import naming, output, said, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.naming import Chosen
from wildbach.interfaces.cli.reach import Reach


@click.command("rm")
@click.option("--files", is_flag=True, help="Delete the content too.")
@click.option("--now", is_flag=True, help="At once and for good, not by way of the trash.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@naming.for_several
def command(
    words: tuple[str, ...], everything: bool, files: bool, now: bool, yes: bool, as_json: bool, reach: Reach,
) -> int:
    """Remove torrents, into the trash.

    The content stays on the disk, unless --files is given: then it is deleted when the trash is emptied, or at once
    with --now. `wildbach trash restore` has them back. On a terminal it asks before files are deleted, all are
    removed, or one whose name is not given whole.
    """
    chosen = reach.ask(lambda api: naming.chosen(api, words, everything))
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if chosen.guessed and not yes and not on_terminal:
        raise UsageError(
            f"{' and '.join(repr(text.clean(word)) for word in words)}: do you mean "
            f"{' and '.join(repr(text.clean(name)) for name in chosen.names)}? Give the whole name or the beginning of "
            "the key, or --yes", code="ambiguous")
    if (files or everything or chosen.guessed) and not yes and on_terminal:
        what = "with the files" if files else "but not the files"
        if not click.confirm(f"Remove {chosen.words()} {what}, {'for good' if now else 'into the trash'}?"):
            output.line("Nothing was removed.")
            return Exit.FAILED
    return reach.run(lambda api: remove(api, chosen, files=files, now=now, as_json=as_json))


async def remove(api: Api, chosen: Chosen, *, files: bool, now: bool, as_json: bool) -> Exit:
    outcome = await api.remove_torrents(m.Removal(chosen.keys, chosen.everything, files, now))
    told = f"removed{' with the files' if files and now else ''}: {chosen.words()}"
    return said.outcome(outcome, told, as_json=as_json)
