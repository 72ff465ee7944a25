"""Writes the pages that are made from the code: `python docs/reference/generate.py`, or `--check` to only compare.

cli.md, wildbach.1, settings.md, events.md and openapi.json are written whole; in other pages the text between
`<!-- name -->` and `<!-- /name -->` is replaced.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import click

from wildbach import __version__
from wildbach.base import limits
from wildbach.base.events import Event
from wildbach.base.settings import reference_markdown
from wildbach.engine import events as engine_events
from wildbach.interfaces.cli import exits, lazy, text
from wildbach.interfaces.cli import main as main_module
from wildbach.interfaces.doors.transmission.fields import FIELDS
from wildbach.interfaces.doors.transmission.methods import METHODS
from wildbach.interfaces.doors.transmission.names import Dialect
from wildbach.interfaces.doors.transmission.preferences import PREFERENCES
from wildbach.interfaces.http import openapi
from wildbach.interfaces.settings import ClientSettings

DOCS = Path(__file__).resolve().parents[1]
MADE = "Made from the code by `docs/reference/generate.py`."

VARIABLES = {
    "WILDBACH_STATE": "Where everything is remembered, in place of ~/.local/state/wildbach.",
    "WILDBACH_CONFIG": "The configuration file, in place of ~/.config/wildbach/config.toml.",
    "WILDBACH_URL": "The daemon that commands speak with, in place of the one of the data directory.",
    "WILDBACH_KEY": "The key for it.",
    "WILDBACH_SECTION_NAME": "A setting: its key in capitals, with _ for the dot; `wildbach settings` lists them.",
    "NO_COLOR": "Where it is set, nothing has colours.",
    "WILDBACH_DEBUG": "Where it is set, a fault of wildbach shows its trace.",
}
FILES = {
    "~/.config/wildbach/config.toml": "Settings (TOML).",
    "~/.local/state/wildbach/daemon/": "What the daemon remembers: torrents, progress, passwords.",
    "~/.local/state/wildbach/folders/": "The progress of `wildbach get` and `seed`.",
}
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
    "READERS": "readers of a torrent at a time",
    "READ_AHEAD_BYTES": "how far ahead of a reader a torrent is fetched before all else",
    "PLAYS": "plays at a time; the one that nobody asked for longest ends",
    "PLAY_FILES": "files of a torrent that are looked through for what plays",
    "PLAY_POSITIONS": "files of which is remembered where you were",
    "PLAY_SUBTITLES": "subtitle files of a film",
    "MEDIA_CONNECTIONS": "connections to the media host",
    "MEDIA_READERS": "answers of the media host that are under way",
    "MEDIA_READERS_PER_TORRENT": "of these, of one torrent",
    "MEDIA_READERS_REMOTE": "of these, for other machines",
    "MEDIA_INDEX_BYTES": "an index of a film by which jumps are planned",
    "MEDIA_WORKERS": "processes that look into films at once",
    "MEDIA_WAITING": "requests that wait for one of them",
    "MEDIA_MEMORY": "memory of one of them",
    "SUBTITLE_BYTES": "a file of subtitles",
    "SUBTITLE_CUES": "subtitles of a file or track",
    "SITES": "sites that are known at a time",
    "SITE_FILES": "files of a version of a site",
    "SITE_VERSIONS": "versions of a site that are remembered",
    "SITE_PATH_BYTES": "bytes of a path on a site",
    "SITE_ASKERS": "requests to sites that wait for content",
    "CHANNELS": "channels that are followed",
    "CHANNEL_BYTES": "all files of a version of a channel",
    "CHANNEL_DRAFTS": "items of a channel that wait to be published",
    "CHANNEL_TEXT": "characters of the text of a channel or item",
    "CHANNEL_RENDITIONS": "renditions of an item",
    "WALLET_KEYSTORE_BYTES": "a keystore of a wallet",
    "WALLET_KDF_MEMORY": "memory that opening a keystore may take",
    "WALLET_KDF_WORK": "scrypt's n times r times p of a keystore",
    "WALLET_KDF_ROUNDS": "rounds of PBKDF2 of a keystore",
    "WALLET_SHARES": "torrents that one voucher pays for",
    "WALLET_LANES": "payees and epochs that a wallet paid",
    "WALLET_SENDS_OPEN": "transactions of a wallet on their way",
    "WALLET_SENDS": "transactions of a wallet that are remembered",
    "WALLET_BOOK": "addresses in a wallet's book",
    "WALLET_FEE_LIMIT": "SUN that one transaction may burn",
    "HEADS_KEPT": "keys whose newest head is remembered",
    "HEAD_ROTATIONS": "how often in a row a key may give way to another",
    "DHT_FOLLOWED": "torrents that change and are followed",
    "SYNC_ENDPOINTS": "endpoints in a record of a device of a synced folder",
    "SYNC_CANDIDATES": "endpoints of one such device that are remembered",
    "SYNC_MET_BY": "secrets by which one folder is found",
    "SYNC_TAGS": "secrets of folders by which announces of neighbours are recognised",
    "RELAY_CONNECTIONS": "connections to a relay",
    "RELAY_PER_ADDRESS": "of these, of one IPv4 address or IPv6 /64",
    "RELAY_CALLS_PER_MINUTE": "connections to a relay that one address begins in a minute",
    "RELAY_RATE": "bytes a second through a relay",
    "RELAY_PAIR_RATE": "of these, of one pair",
    "RELAY_PAIR_BYTES": "what one pair sends through a relay until it has to call again",
    "VAULT_VOUCHERS": "vouchers that one call of a vault redeems",
    "CONTENTS_OPEN": "files that are sent or fetched between devices at a time",
    "CONTENT_PEERS": "devices that one of them is exchanged with",
    "PROBE_BYTES": "blocks that are fetched to see how well a sponsored seeder serves",
    "SPONSORED": "seeders that a sponsor pays at a time",
    "SPONSORED_PERIODS": "periods of such an agreement",
    "SPONSORED_PROBES": "probes in a period",
    "CHAIN_ANSWER_BYTES": "what a node answers to a question about one account, block or contract",
    "CHAIN_BLOCK_BYTES": "what a node tells of all transactions of a block",
    "CHAIN_TRANSACTIONS": "transactions of a block",
    "CHAIN_LOGS": "events of all transactions of a block",
    "CHAIN_TRIES": "times that a node is asked the same where it is busy or away",
    "CHAIN_LAG_BLOCKS": "blocks by which two nodes may differ",
    "CHAIN_EVENT_BLOCKS": "blocks that are looked through for events in one go",
    "DEVCHAIN_BODY_BYTES": "a question to the chain for development",
    "DEVCHAIN_QUEUE": "questions that wait there",
    "DEVCHAIN_CALLS": "of these, calls of contracts that are only tried",
    "DEVCHAIN_SECONDS": "seconds of a call there",
    "DEVCHAIN_ENERGY": "energy of a call that is only tried there",
    "DEVCHAIN_PENDING": "transactions that wait for a block there",
    "DEVCHAIN_PENDING_BYTES": "bytes of them all",
    "DEVCHAIN_LOGS": "events of a transaction there",
    "DEVCHAIN_EVENTS": "events in one answer there",
    "DEVCHAIN_BLOCKS": "blocks in one answer there",
    "DEVCHAIN_LAG": "blocks that may be undone there",
    "SYNC_SECRETS": "secrets by which a device may be called",
    "SYNC_OPENINGS": "callers that open a connection to a device at a time",
    "MUX_CHANNELS": "channels of a connection between devices that one side has open",
    "MUX_MESSAGE_BYTES": "a message between devices",
    "MUX_WINDOW_MOST_BYTES": "bytes of a channel that are on their way or not read",
    "MUX_BUFFERED_BYTES": "the same of all channels of a connection",
    "MUX_QUEUE_BYTES": "messages that the other device does not read",
    "SYNC_IGNORE_BYTES": "a file of patterns of what is left out of a folder",
    "SYNC_IGNORE_RULES": "such patterns of a folder",
    "SYNC_WATCHES": "directories of a folder that are watched; the system may permit fewer",
    "SYNC_DIRTY_PATHS": "paths of a folder that changed and wait to be looked at; with more of them all of it is",
    "SYNC_DEVICES": "devices of a synced folder",
    "SYNC_ROSTERS": "times that who has it was changed",
    "SYNC_ROSTERS_SIGNER": "of these, by one owner",
    "SYNC_ROSTER_HEADS": "changes that owners made without knowing of each other",
    "SYNC_OPEN_LINKS": "links to a folder for many devices",
    "SYNC_OPEN_LINK_DEVICES": "devices that come by one of them",
    "SYNC_ADMISSIONS": "connections at a time of those who come by links",
    "SYNC_LINKS": "links that a device gave and nobody came by yet",
    "SYNC_LINK_SECONDS": "seconds that a link holds",
    "SEND_CONTROL_BYTES": "replies and news that wait for a peer, which is left above this",
    "SYNC_PROBE_SECONDS": "seconds in which a device answers on a connection before another one takes its place",
    "SYNC_SESSIONS_UNLISTED": "sessions with devices that call by a folder's secret and are not known to have it",
    "SYNC_WORDS": "small messages that a device says at once on one connection; then it is read more slowly",
    "SYNC_WORDS_PER_SECOND": "and so many a second after these",
    "SYNC_RECORDS": "records of where members are that one connection brings at once; more are dropped",
    "SYNC_RECORDS_PER_SECOND": "and so many a second after these",
    "SYNC_EXCHANGE_BYTES": "an index that is not whole yet, of one device; it waits on the disk",
    "SYNC_EXCHANGES_BYTES": "all of them of a folder; above that, who has more than its share is left",
    "SYNC_FETCH_SECONDS": "seconds without a byte of a large file, after which one that waits has its turn",
    "SYNC_BUNDLE_SECONDS": "seconds that a bundle of small files may take",
    "SYNC_CUT_ENTRIES": "entries that were accepted of a device that was taken out; 32 bytes of a list each",
    "SYNC_LISTS_BYTES": "lists of such entries that are fetched for a folder, in pages of 1 MiB; the short ones first",
    "SYNC_LISTS_MEMORY": "of their pages, what is held in memory",
    "SYNC_WAITING_BYTES": "entries of a folder that wait on the disk for such a list; above that, an index waits whole",
    "SYNC_REKEY_SECONDS": "seconds that a device that was away is waited for with new keys",
}


class Shown(NamedTuple):
    """A command, and those below it."""

    name: str
    "All its words: `wildbach trash list`."
    command: click.Command
    context: click.Context

    @property
    def usage(self) -> str:
        return " ".join(self.command.get_usage(self.context).split()[1:])

    def options(self) -> list[tuple[str, str]]:
        """Flags and their meaning."""
        records = [
            param.get_help_record(self.context) for param in self.command.params if isinstance(param, click.Option)]
        return [record for record in records if record is not None]

    def walk(self) -> Iterator[Shown]:
        yield self
        if isinstance(self.command, click.Group):
            for name in self.command.list_commands(self.context):
                below = self.command.get_command(self.context, name)
                assert below is not None  # noqa: S101 - it was listed
                yield from shown(f"{self.name} {name}", below).walk()


def shown(name: str, command: click.Command) -> Shown:
    return Shown(name, command, click.Context(command, info_name=name))


def commands(section: str) -> Iterator[Shown]:
    """Those of a section of the help, each followed by those below it."""
    for name in lazy.SECTIONS[section]:
        command = main_module.cli.get_command(click.Context(main_module.cli), name)
        assert command is not None  # noqa: S101 - it was listed
        yield from shown(f"wildbach {name}", command).walk()


MAN_PAGE = """The same is a man page. `man wildbach` shows it where a package of the system installed it. Where pip did,
into a virtual environment, it is in that: `man -l .venv/share/man/man1/wildbach.1`. Of a copy of the source:
`man -l docs/reference/wildbach.1`.
"""


def cli_page() -> str:
    parts = ["# Command line\n", f"{MADE} Exit codes: [exit-codes](../exit-codes.md).\n"]
    parts.append(_paragraphs(main_module.cli.help or ""))
    parts.append(MAN_PAGE)
    for section, names in lazy.SECTIONS.items():
        parts.append(f"- {section}: " + ", ".join(f"[{name}](#wildbach-{name})" for name in names))
    parts.append("")
    for section in lazy.SECTIONS:
        for one in commands(section):
            parts.append(f"{'##' if one.name.count(' ') == 1 else '###'} {one.name}\n")
            parts.append(f"`{one.usage}`\n")
            parts.append(_paragraphs(one.command.help or ""))
            rows = [
                "| `{}` | {} |".format(*(cell.replace("|", "\\|") for cell in record)) for record in one.options()]
            if rows:
                parts.append("| flag | meaning |\n| --- | --- |\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def man_page() -> str:
    """wildbach(1)."""
    out = [f'.\\" {MADE}', f'.TH WILDBACH 1 "" "wildbach {__version__}" "User commands"', ".SH NAME",
           "wildbach \\- BitTorrent v1, v2 and hybrid: download, seed, create, check", ".SH SYNOPSIS",
           ".B wildbach", "[\\fICOMMAND\\fR [\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...]", ".SH DESCRIPTION",
           *_man_paragraphs(main_module.cli.help or "")]
    for section in lazy.SECTIONS:
        out.append(f'.SH "{section.upper()}"')
        for one in commands(section):
            out += [f'.SS "{one.name}"', ".PP", f"\\fB{_roff(one.usage)}\\fR", *_man_paragraphs(one.command.help or "")]
            for flags, meaning in one.options():
                out += [".TP", f"\\fB{_roff(flags)}\\fR", _roff(meaning)]
    out += [".SH EXIT STATUS"]
    for code, meaning in exits.MEANINGS.items():
        out += [".TP", f"\\fB{int(code)}\\fR", _roff(meaning)]
    out += [".SH ENVIRONMENT"]
    for name, meaning in VARIABLES.items():
        out += [".TP", f"\\fB{name}\\fR", _roff(meaning)]
    out += [".SH FILES"]
    for name, meaning in FILES.items():
        out += [".TP", f"\\fI{name}\\fR", _roff(meaning)]
    return "\n".join(out) + "\n"


def _man_paragraphs(help_text: str) -> list[str]:
    out = []
    for block in re.split(r"\n\s*\n", help_text.strip()):
        if block.lstrip().startswith("\b"):
            lines = block.lstrip().removeprefix("\b").strip("\n").splitlines()
            out += [".PP", ".nf", *map(_roff, lines), ".fi"]
        else:
            out += [".PP", _roff(" ".join(block.split()))]
    return out


def _roff(words: str) -> str:
    """What roff takes as plain text."""
    plain = words.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    plain = "".join(char if char.isascii() else f"\\[u{ord(char):04X}]" for char in plain)
    return f"\\&{plain}" if plain.startswith((".", "\\(aq")) else plain


def _paragraphs(help_text: str) -> str:
    out = []
    for block in re.split(r"\n\s*\n", help_text.strip()):
        if block.lstrip().startswith("\b"):
            out.append("```\n" + block.lstrip().removeprefix("\b").strip("\n") + "\n```")
        else:
            out.append(" ".join(block.split()))
    return "\n\n".join(out) + "\n"


def settings_page() -> str:
    return (
        f"# Settings\n\n{MADE} In a program: "
        "`Settings(...)`, which has those of the engine alone. A variable of the environment is `WILDBACH_` and the "
        "key in capitals with `_` for dots.\n\n"
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
        is_size = (name.endswith("_BYTES") and value >= limits.MIB) or name in ("PIECE_LENGTH", "MEDIA_MEMORY")
        rows.append((f"`{name}`", what, text.size(value) if is_size else f"{value:,}"))
    return _table(("name", "of what", "at most"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def rpc_methods() -> str:
    return _table(("method", "who may", "what it does here"), (
        (f"`{one.spelled(Dialect.CLASSIC)}`", one.role, one.doc) for one in METHODS.values()))


def rpc_settings() -> str:
    rows = []
    for one in PREFERENCES.values():
        told = one.ours if " " in one.ours or not one.ours else ", ".join(f"`{key}`" for key in one.ours.split(", "))
        name = f"`{one.name}`" if one.modern else f"`{one.classic}`"
        rows.append((name + (" (JSON-RPC)" if one.modern else ""), one.kind, told))
    return _table(("setting", "type", "what it is here"), rows)


def rpc_fields() -> str:
    both = ", ".join(f"`{one.classic}`" for one in FIELDS.values() if not one.modern)
    return f"{both}; of JSON-RPC alone: " + ", ".join(f"`{one.name}`" for one in FIELDS.values() if one.modern) + "."


def _filled(page: Path, **parts: str) -> str:
    filled = page.read_text(encoding="utf-8")
    for part, content in parts.items():
        name = part.replace("_", "-")
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(filled):
            raise SystemExit(f"{page} has no place for {name}")
        filled = pattern.sub(rf"\g<1>{_escaped(content)}\n\g<2>", filled)
    return filled


def _escaped(content: str) -> str:
    return content.replace("\\", r"\\")


def pages() -> dict[Path, str]:
    """Every page as it should be."""
    return {
        DOCS / "reference" / "cli.md": cli_page(),
        DOCS / "reference" / "wildbach.1": man_page(),
        DOCS / "reference" / "settings.md": settings_page(),
        DOCS / "reference" / "events.md": events_page(),
        DOCS / "reference" / "openapi.json": openapi.document().decode(),
        DOCS / "exit-codes.md": _filled(DOCS / "exit-codes.md", exit_codes=exit_codes()),
        DOCS / "limits.md": _filled(DOCS / "limits.md", limits=limit_rows()),
        DOCS / "transmission-rpc.md": _filled(
            DOCS / "transmission-rpc.md", methods=rpc_methods(), settings=rpc_settings(), fields=rpc_fields()),
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
