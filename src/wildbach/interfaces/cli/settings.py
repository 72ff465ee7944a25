"""`wildbach settings`: every key of `--set` with what it is set to, where that comes from, and what it does."""

from __future__ import annotations

import os
import textwrap

import click

from wildbach.base.errors import UsageError
from wildbach.base.logins import hide_logins
from wildbach.base.settings import Layers, Option, options, parse_environment, shown, to_flat
from wildbach.engine.settings import Settings
from wildbach.interfaces.cli import output, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.wishes import warn_of_variables

_WIDTH = 80


@click.command("settings")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: a setting each.")
def command(words: tuple[str, ...], as_json: bool) -> int:
    """List the settings: the keys of --set, their values and what they do.

    With WORD only those whose key has it, as in `wildbach settings network`. Where a value comes from the
    environment, the variable is named.
    """
    warn_of_variables()
    layers = Layers(Settings, environment=parse_environment(Settings, os.environ))
    values = to_flat(layers.settings)
    found = {key: one for key, one in options(Settings).items() if not words or any(word in key for word in words)}
    if not found:
        raise UsageError(f"no key has {' or '.join(map(text.clean, words))} in it")
    for key, option in found.items():
        given = layers.source(key) == "environment"
        if as_json:
            output.record({
                "key": key, "value": hide_logins(shown(values[key])), "default": shown(option.default),
                "source": layers.source(key), "variable": option.env, "description": option.doc,
            })
        else:
            output.line(_told(option, shown(values[key]), given))
    return Exit.OK


def _told(option: Option, value: str, given: bool) -> str:
    origin = f"  (${option.env}; by default {shown(option.default)})" if given else ""
    words = textwrap.wrap(option.doc, _WIDTH - 4)
    return "\n".join([f"{option.key} = {hide_logins(text.clean(value))}{origin}", *(f"    {line}" for line in words)])
