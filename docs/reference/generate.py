"""Writes the pages that are made from the code: `python docs/reference/generate.py`, or `--check` to only compare.

cli.md, settings.md, events.md and openapi.json are written whole; in other pages the text between `<!-- name -->` and
`<!-- /name -->` is replaced.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import re
import sys
import textwrap
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import click

from wildbach.base import limits
from wildbach.base.events import Event
from wildbach.base.settings import reference_markdown
from wildbach.engine import events as engine_events
from wildbach.interfaces.cli import exits, lazy, text
from wildbach.interfaces.http import openapi
from wildbach.interfaces.settings import ClientSettings

DOCS = Path(__file__).resolve().parents[1]
MADE = "Made from the code by `docs/reference/generate.py`."

SHOWN_LIMITS = {
    "TORRENT_FILE_BYTES": "a `.torrent` file",
    "METADATA_BYTES": "an info dictionary that peers sent for a magnet link",
    "PIECE_LENGTH": "a piece",
    "PIECES": "pieces of a torrent",
    "FILES": "files of a torrent",
    "PATH_ELEMENT_BYTES": "bytes of a file or folder name",
    "PATH_BYTES": "bytes of a path",
    "PATH_DEPTH": "folders in each other",
    "TRACKERS_PER_TORRENT": "trackers of a torrent",
    "CONNECTIONS": "connections in all",
    "CONNECTIONS_PER_TORRENT": "connections of a torrent",
}


def cli_page() -> str:
    parts = ["# Command line\n", f"{MADE} Exit codes: [exit-codes](../exit-codes.md).\n"]
    for name in lazy.COMMANDS:
        command: click.Command = import_module(f"wildbach.interfaces.cli.{name}").command
        context = click.Context(command, info_name=f"wildbach {name}")
        parts.append(f"## wildbach {name}\n")
        parts.append(f"`{' '.join(command.get_usage(context).split()[1:])}`\n")
        parts.append(_paragraphs(command.help or ""))
        rows = [row for param in command.params if (row := _option_row(param, context))]
        if rows:
            parts.append("| flag | meaning |\n| --- | --- |\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _paragraphs(help_text: str) -> str:
    out = []
    for block in re.split(r"\n\s*\n", help_text.strip()):
        if block.lstrip().startswith("\b"):
            out.append("```\n" + block.lstrip().removeprefix("\b").strip("\n") + "\n```")
        else:
            out.append(" ".join(block.split()))
    return "\n\n".join(out) + "\n"


def _option_row(param: click.Parameter, context: click.Context) -> str:
    if not isinstance(param, click.Option):
        return ""
    record = param.get_help_record(context)
    if record is None:
        return ""
    flags, meaning = (cell.replace("|", "\\|") for cell in record)
    return f"| `{flags}` | {meaning} |"


def settings_page() -> str:
    return (
        f"# Settings\n\n{MADE} In a program: "
        "`Settings(...)`; a variable of the environment is `WILDBACH_` and the key in capitals with `_` for dots.\n\n"
        + reference_markdown(ClientSettings)
    )


def event_kinds() -> list[type[Event]]:
    """Every event a session publishes, in the order of the source."""
    found = [
        value for value in vars(engine_events).values()
        if isinstance(value, type) and issubclass(value, Event) and value.__module__ == engine_events.__name__
        and value is not Event
    ]
    return sorted(found, key=lambda kind: list(vars(engine_events)).index(kind.__name__))


def field_words(kind: type[Event]) -> dict[str, str]:
    """The string under each field in the source, that of bases too."""
    found: dict[str, str] = {"torrent": "the torrent's key"}
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    if isinstance(body, ast.ClassDef):
        for field, below in itertools.pairwise(body.body):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                    found[name] = " ".join(words.split())
    return found


def events_page() -> str:
    parts = [
        "# Events\n",
        f"{MADE} `Session.subscribe(*types)` gives them; `--json` prints them, one object a line, with the name under "
        "`event`.\n",
    ]
    for kind in event_kinds():
        parts.append(f"## `{kind.__name__}` (`{kind.name}`)\n")
        # A dataclass without words of its own gets its signature for a docstring.
        words = kind.__doc__ or ""
        if not words.startswith(f"{kind.__name__}("):
            parts.append(" ".join(words.split()) + "\n")
        told = field_words(kind)
        fields = dataclasses.fields(cast(Any, kind))
        rows = [f"| `{field.name}` | `{field.type}` | {told.get(field.name, '')} |" for field in fields]
        parts.append("| field | type | |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def exit_codes() -> str:
    return _table(("code", "name", "meaning"), ((str(int(c)), c.name.lower(), m) for c, m in exits.MEANINGS.items()))


def limit_rows() -> str:
    rows = []
    for name, what in SHOWN_LIMITS.items():
        value = getattr(limits, name)
        is_size = (name.endswith("_BYTES") and value >= limits.MIB) or name == "PIECE_LENGTH"
        rows.append((f"`{name}`", what, text.size(value) if is_size else f"{value:,}"))
    return _table(("name", "of what", "at most"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def _filled(page: Path, name: str, content: str) -> str:
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    old = page.read_text(encoding="utf-8")
    if not pattern.search(old):
        raise SystemExit(f"{page} has no place for {name}")
    return pattern.sub(lambda found: f"{found[1]}{content}\n{found[2]}", old)


def pages() -> dict[Path, str]:
    """Every page as it should be."""
    return {
        DOCS / "reference" / "cli.md": cli_page(),
        DOCS / "reference" / "settings.md": settings_page(),
        DOCS / "reference" / "events.md": events_page(),
        DOCS / "reference" / "openapi.json": openapi.document().decode(),
        DOCS / "exit-codes.md": _filled(DOCS / "exit-codes.md", "exit-codes", exit_codes()),
        DOCS / "limits.md": _filled(DOCS / "limits.md", "limits", limit_rows()),
    }


def drifted() -> list[str]:
    """The pages that are not what the code says."""
    return [
        str(path.relative_to(DOCS)) for path, content in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != content
    ]


def main() -> None:
    if "--check" in sys.argv[1:]:
        stale = drifted()
        sys.exit(f"out of date: {', '.join(stale)}; run python docs/reference/generate.py" if stale else 0)
    for path, content in pages().items():
        path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
