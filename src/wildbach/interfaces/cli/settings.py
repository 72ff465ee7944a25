"""`wildbach settings`: every key of `--set` with what it is set to, where that comes from, and what it does."""

from __future__ import annotations

import textwrap

import click

from wildbach.base.errors import UsageError
from wildbach.base.logins import hide_logins
from wildbach.base.settings import Option, options, shown, to_flat
from wildbach.interfaces import config
from wildbach.interfaces.cli import output, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.given import Given
from wildbach.interfaces.cli.wishes import warn_of_variables
from wildbach.interfaces.settings import ClientSettings

_WIDTH = 80


@click.command("settings")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: a setting each.")
def command(words: tuple[str, ...], as_json: bool) -> int:
    """List the settings: the keys of --set, their values and what they do.

    With WORD only those whose key has it, as in `wildbach settings network`. Where a value comes from the
    environment or the configuration file, that is named.
    """
    warn_of_variables()
    layers = Given().layers()
    values = to_flat(layers.settings)
    known = options(ClientSettings)
    found = {key: one for key, one in known.items() if not words or any(word in key for word in words)}
    if not found:
        raise UsageError(f"no key has {' or '.join(map(text.clean, words))} in it")
    for key, option in found.items():
        source = layers.source(key)
        if as_json:
            output.record({
                "key": key, "value": hide_logins(shown(values[key])), "default": shown(option.default),
                "source": source, "variable": option.env, "description": option.doc,
            })
        else:
            output.line(_told(option, shown(values[key]), source))
    return Exit.OK


def _told(option: Option, value: str, source: str) -> str:
    where = {"environment": f"${option.env}", "file": str(config.default_path())}.get(source, "")
    origin = f"  ({where}; by default {shown(option.default)})" if where else ""
    words = textwrap.wrap(option.doc, _WIDTH - 4)
    return "\n".join([f"{option.key} = {hide_logins(text.clean(value))}{origin}", *(f"    {line}" for line in words)])
