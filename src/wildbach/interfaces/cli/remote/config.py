"""`wildbach config`: the settings of the daemon."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any, Final

import click

from wildbach.base.errors import UsageError
from wildbach.base.logins import hide_logins
from wildbach.base.settings import SettingError, options, shown
from wildbach.interfaces import config
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.settings import ClientSettings

_SOURCES: Final = {"file": "the configuration file", "environment": "the environment", "flag": "a flag of serve"}


class _ConfigGroup(ListGroup):
    default = "get"


@click.group("config", cls=_ConfigGroup)
def command() -> None:
    """Show or change the settings of the daemon.

    What is set here is remembered by the daemon, and goes before the configuration file. What the environment or a flag
    of `wildbach serve` says cannot be changed here.
    """


@command.command("get")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("--changed", is_flag=True, help="Only those that are not as they are by default.")
@reach.options
@reach.as_json
def get_command(words: tuple[str, ...], changed: bool, as_json: bool, reach: Reach) -> int:
    """Show settings: those whose key has WORD in it, or all.

    A key alone prints its value and nothing else.
    """
    return reach.run(lambda api: get(api, words, changed=changed, as_json=as_json))


async def get(api: Api, words: tuple[str, ...], *, changed: bool, as_json: bool) -> Exit:
    view = await api.settings()
    if len(words) == 1 and words[0] in view.values and not as_json:
        output.line(_shown(view.values[words[0]]))
        return Exit.OK
    keys = [key for key in view.values if not words or any(word in key for word in words)]
    if not keys:
        raise UsageError(f"no key has {' or '.join(map(text.clean, words))} in it")
    for key in keys:
        source = view.sources.get(key, "default")
        if changed and source == "default":
            continue
        if as_json:
            output.record({
                "key": key, "value": view.values[key], "source": source, "restart": key in view.restart})
        else:
            notes = [_SOURCES[source]] if source in _SOURCES else ["set"] if source == "saved" else []
            notes += ["after a restart"] if key in view.restart else []
            output.line(f"{key} = {_shown(view.values[key])}" + (f"  ({', '.join(notes)})" if notes else ""))
    return Exit.OK


def _shown(value: Any) -> str:
    plain = tuple(map(str, value)) if isinstance(value, list) else value
    return "" if value is None else hide_logins(text.clean(shown(plain)))


@command.command("set")
@click.argument("words", nargs=-1, required=True, metavar="KEY=VALUE...")
@reach.options
@reach.as_json
def set_command(words: tuple[str, ...], as_json: bool, reach: Reach) -> int:
    """Change settings: all of those that are given, or none.

    Commas part lists. `wildbach settings` says what each key is for.
    """
    values = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"{text.clean(word)}: a value is missing: KEY=VALUE, as in queue.downloads=5")
        values[key] = _parsed(key, value)
    return reach.run(lambda api: change(api, values, as_json=as_json))


def _parsed(key: str, value: str) -> Any:
    option = options(ClientSettings)[_known(key)]
    try:
        parsed = option.parse(value)
    except SettingError as error:
        raise UsageError(error.message, code=error.code) from None
    return list(parsed) if isinstance(parsed, tuple) else str(parsed) if hasattr(parsed, "parts") else parsed


def _known(key: str) -> str:
    known = options(ClientSettings)
    if key not in known:
        near = difflib.get_close_matches(key, known, 3, 0.5) or [name for name in known if key in name]
        raise UsageError(f"there is no setting {text.clean(key)}; " + (
            f"near it: {', '.join(near)}" if near else "`wildbach settings` lists them"))
    return key


@command.command("unset")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@reach.options
@reach.as_json
def unset_command(keys: tuple[str, ...], as_json: bool, reach: Reach) -> int:
    """Forget what was set: as the configuration file says, or by default."""
    values = {_known(key): None for key in keys}
    return reach.run(lambda api: change(api, values, as_json=as_json))


async def change(api: Api, values: Mapping[str, Any], *, as_json: bool) -> Exit:
    view = await api.change_settings(m.SettingsPatch(dict(values)))
    for key in values:
        if as_json:
            output.record({
                "key": key, "value": view.values.get(key), "source": view.sources.get(key, "default"),
                "restart": key in view.restart})
        else:
            after = "  (after a restart)" if key in view.restart else ""
            output.line(f"{key} = {_shown(view.values.get(key))}{after}")
    return Exit.OK


@command.command("path")
def path_command() -> int:
    """Print where the configuration file is, or would be."""
    output.line(str(config.default_path()))
    return Exit.OK


@command.command("schema")
@reach.options
def schema_command(reach: Reach) -> int:
    """Print the JSON Schema of the settings."""
    return reach.run(schema)


async def schema(api: Api) -> Exit:
    output.line(json.dumps((await api.settings_schema()).schema, indent=2))
    return Exit.OK
