"""`wildbach info`: what a torrent or a magnet link says, for people and for programs."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import click
from rich.text import Text
from rich.tree import Tree

from wildbach.base.errors import WildbachError
from wildbach.base.words import plural
from wildbach.interfaces.cli import output, sources, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.table import console as make_console
from wildbach.interfaces.cli.table import facts
from wildbach.protocol.metainfo import File, Info, Magnet, Metainfo, MutableLink

SHOWN_FILES = 200
"Files in the tree without --all."


@click.command("info")
@click.argument("source", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--all", "everything", is_flag=True, help=f"List every file, not only the first {SHOWN_FILES}.")
def command(source: tuple[str, ...], as_json: bool, everything: bool) -> int:
    """Show what a .torrent file or a magnet link says.

    SOURCE is a file, a magnet link, an info hash, or - for stdin. Nothing is downloaded.
    """
    worst = Exit.OK
    for one in source:
        try:
            loaded = sources.load(one)
        except WildbachError as error:
            # The others are still shown; the code is that of the first fault.
            code = output.explain(error)
            worst = worst or code
            continue
        if as_json:
            output.record(describe(loaded) if isinstance(loaded, Metainfo) else describe_link(loaded))
        elif not isinstance(loaded, Metainfo):
            show_link(loaded)
        else:
            show(loaded, everything)
    return worst


def kind_of(info: Info) -> str:
    return "hybrid" if info.has_v1 and info.has_v2 else "v2" if info.has_v2 else "v1"


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def describe(torrent: Metainfo) -> dict[str, object]:
    """The JSON form. Hashes in hex, sizes in bytes, `path` with `/` between its parts."""
    info = torrent.info
    return {
        "name": info.name,
        "infohash_v1": _hex(info.hashes.v1),
        "infohash_v2": _hex(info.hashes.v2),
        "kind": kind_of(info),
        "size": info.geometry.size,
        "piece_length": info.piece_length,
        "pieces": info.geometry.piece_count,
        "private": info.private,
        "source": info.source,
        "comment": torrent.comment,
        "created_by": torrent.created_by,
        "creation_date": torrent.creation_date,
        "trackers": [list(tier) for tier in torrent.trackers],
        "web_seeds": list(torrent.web_seeds),
        "multi_file": info.multi_file,
        "files": [_file(i, file) for i, file in enumerate(info.files) if not file.pad],
        "warnings": list(torrent.warnings),
        "magnet": sources.link_of(torrent).to_uri(),
    }


def original(file: File) -> str:
    """The path as the torrent has it, which may not be safe to use or to show."""
    return "/".join(part.decode("utf-8", "backslashreplace") for part in file.path.raw)


def _file(index: int, file: File) -> dict[str, object]:
    facts: dict[str, object] = {"index": index, "path": "/".join(file.path.parts), "length": file.length}
    if file.dropped:
        facts["dropped"] = True
    if file.root is not None:
        facts["pieces_root"] = file.root.hex()
    for flag in ("executable", "hidden"):
        if getattr(file, flag):
            facts[flag] = True
    if file.symlink is not None:
        facts["symlink"] = "/".join(file.symlink.parts)
    if file.path.changed:
        facts["original"] = original(file)
    return facts


def describe_link(link: Magnet | MutableLink) -> dict[str, object]:
    """The JSON form of a link."""
    if isinstance(link, Magnet):
        return describe_magnet(link)
    return {
        "name": link.name, "public_key": link.public_key.hex(), "salt": link.salt.hex(),
        "trackers": list(link.trackers), "peers": _peers(link.peers),
        "first": describe_magnet(link.first) if link.first is not None else None, "magnet": link.to_uri(),
    }


def describe_magnet(magnet: Magnet) -> dict[str, object]:
    return {
        "name": magnet.name,
        "infohash_v1": _hex(magnet.hashes.v1),
        "infohash_v2": _hex(magnet.hashes.v2),
        "size": magnet.length,
        "trackers": list(magnet.trackers),
        "web_seeds": list(magnet.web_seeds), "sources": list(magnet.sources),
        "peers": _peers(magnet.peers),
        "magnet": magnet.to_uri(),
    }


def _peers(peers: Sequence[tuple[str, int]]) -> list[str]:
    return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in peers]


def show(torrent: Metainfo, everything: bool) -> None:
    """Facts, then a tree of the files with their numbers for `--select`."""
    info = torrent.info
    console = make_console()
    count = sum(1 for file in info.files if not file.pad)
    console.print(Text(text.clean(info.name), style="bold"))
    facts(console, [
        ("kind", kind_of(info) + (" (SHA-1 only)" if not info.has_v2 else "")),
        ("info hash v1", _hex(info.hashes.v1)),
        ("info hash v2", _hex(info.hashes.v2)),
        ("size", f"{text.size(info.geometry.size)} ({info.geometry.size:,} bytes) in {plural(count, 'file')}"),
        ("pieces", f"{info.geometry.piece_count:,} of {text.size(info.piece_length)}"),
        ("private", "yes: peers come from its trackers only" if info.private else None),
        ("source", info.source),
        ("comment", torrent.comment),
        ("created", _created(torrent)),
        *((("tracker" if len(torrent.trackers) == 1 else f"tracker {i + 1}"), ", ".join(tier))
          for i, tier in enumerate(torrent.trackers)),
        *(("web seed", url) for url in torrent.web_seeds),
    ])
    console.print(_tree(info, everything))
    for warning in torrent.warnings:
        console.print(Text(f"warning: {text.clean(warning)}", style="yellow"))


def show_link(link: Magnet | MutableLink) -> None:
    """The parts of a link."""
    if isinstance(link, Magnet):
        show_magnet(link)
        return
    console = make_console()
    console.print(Text(text.clean(link.name or "(no name)"), style="bold"))
    facts(console, [
        ("kind", "whatever torrent was published last under the key"),
        ("public key", link.public_key.hex()),
        ("salt", link.salt.hex()),
        ("info hash v1", _hex(link.first.hashes.v1) if link.first is not None else None),
        ("info hash v2", _hex(link.first.hashes.v2) if link.first is not None else None),
        *(("tracker", url) for url in link.trackers),
        *(("peer", peer) for peer in _peers(link.peers)),
    ])


def show_magnet(magnet: Magnet) -> None:
    console = make_console()
    console.print(Text(text.clean(magnet.name or "(no name)"), style="bold"))
    facts(console, [
        ("info hash v1", _hex(magnet.hashes.v1)),
        ("info hash v2", _hex(magnet.hashes.v2)),
        ("size", None if magnet.length is None else text.size(magnet.length)),
        *(("tracker", url) for url in magnet.trackers),
        *(("web seed", url) for url in magnet.web_seeds),
        *(("torrent file", url) for url in magnet.sources),
        *(("peer", f"{host}:{port}") for host, port in magnet.peers),
    ])


def _created(torrent: Metainfo) -> str | None:
    parts = []
    if torrent.creation_date is not None:
        try:
            moment = datetime.datetime.fromtimestamp(torrent.creation_date, datetime.UTC)
            parts.append(moment.strftime("%Y-%m-%d %H:%M UTC"))
        except (OverflowError, ValueError, OSError):
            parts.append(str(torrent.creation_date))
    if torrent.created_by:
        parts.append(f"by {torrent.created_by}")
    return " ".join(parts) or None


def _tree(info: Info, everything: bool) -> Tree:
    root = Tree(Text("files", style="dim"))
    folders: dict[tuple[str, ...], Tree] = {(): root}
    real = [(i, file) for i, file in enumerate(info.files) if not file.pad]
    for shown, (index, file) in enumerate(real):
        if shown == SHOWN_FILES and not everything:
            root.add(Text(f"… and {plural(len(real) - shown, 'more file')}; --all lists them", style="dim"))
            break
        parts = file.path.parts
        for depth in range(1, len(parts)):
            if parts[:depth] not in folders:
                folders[parts[:depth]] = folders[parts[: depth - 1]].add(
                    Text(text.clean(parts[depth - 1]) + "/", style="blue")
                )
        folders[parts[:-1]].add(_leaf(index, file))
    return root


def _leaf(index: int, file: File) -> Text:
    leaf = Text.assemble((f"{index} ", "dim"), text.clean(file.path.parts[-1]), (f"  {text.size(file.length)}", "cyan"))
    if file.symlink is not None:
        leaf.append(f"  → {text.clean('/'.join(file.symlink.parts))}", "dim")
    if file.path.changed:
        leaf.append("  (name changed)", "yellow")
    if file.dropped:
        leaf.append("  (points outside the torrent: not made)", "yellow")
    return leaf
