"""A group that imports a command only when it is run, so that `--version` and `--help` stay quick."""

from __future__ import annotations

from importlib import import_module

import click
from click.shell_completion import CompletionItem

COMMANDS: dict[str, str] = {
    "serve": "Run the daemon: torrents in the background, and an API.",
    "get": "Download torrents: files, magnet links, info hashes, URLs or - for stdin.",
    "seed": "Give content that is already here to others.",
    "create": "Make a .torrent file of a file or a folder.",
    "info": "Show what a .torrent file or a magnet link says.",
    "verify": "Check content on disk against a .torrent file.",
    "magnet": "Print the magnet link of a torrent, or take one apart.",
    "publish": "Publish a torrent in the DHT under a key, or put another one in its place.",
    "tracker": "Run a tracker (HTTP and UDP).",
    "settings": "List the settings: the keys of --set, their values and what they do.",
    "doctor": "Look for what could be wrong, and say what to do about it.",
    "demo": "Watch a whole swarm work on this machine: a tracker, a seed, three downloaders.",
    "completion": "Print the completion script of a shell.",
}
"Each command, in the order of the help, with its one line; the module has its name and holds `command`."


class LazyGroup(click.Group):
    """The commands of `COMMANDS`, from the modules of the same names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"wildbach.interfaces.cli.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=line) for name, line in COMMANDS.items() if name.startswith(incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
