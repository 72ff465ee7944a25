"""A group that imports a command only when it is run, so that `--version` and `--help` stay quick."""

from __future__ import annotations

from importlib import import_module

import click
from click.shell_completion import CompletionItem

SECTIONS: dict[str, dict[str, str]] = {
    "Daemon": {
        "serve": "Run the daemon: torrents in the background, and an API.",
        "top": "Show and steer the daemon on the whole terminal.",
        "open": "Open the daemon in the browser, by a link that lets you in.",
        "play": "Play a film or a song while it comes.",
        "media": "Show where players fetch, or let other machines in.",
        "status": "Show speeds, limits, totals and whether peers can call.",
        "limits": "Show or set the speed limits of the whole.",
        "config": "Show or change the settings of the daemon.",
        "password": "Set the password of the web interface and of programs that log in.",
        "keys": "List, make and remove keys for programs.",
        "key": "Show, make, copy and replace the keys that sites, channels and torrents are published under.",
        "earn": "Earn TRX for upload that somebody wants.",
        "spend": "Pay seeds that ask for it.",
        "wallet": "Make a wallet, receive and send TRX, set what may be spent.",
        "import": "Take on the torrents of another client.",
        "notify": "Try the notifications.",
        "jobs": "Show what takes a while: moves, imports, torrents being made.",
        "log": "Show what happened.",
        "bans": "List, ban and pardon peers.",
    },
    "Torrents of the daemon": {
        "add": "Add torrents: files, magnet links, info hashes, URLs or - for stdin.",
        "ls": "List torrents.",
        "watch": "Watch the list while it changes.",
        "show": "Show all about a torrent.",
        "files": "Show the files of a torrent, and choose among them.",
        "peers": "Show the peers of a torrent.",
        "trackers": "Show or change the trackers of a torrent.",
        "web-seeds": "Show or change the web servers that have a torrent's content.",
        "start": "Start torrents.",
        "stop": "Stop torrents.",
        "force": "Start torrents whatever the queue says.",
        "reannounce": "Ask the trackers of torrents for peers now.",
        "edit": "Change torrents: name, category, tags, limits, order.",
        "move": "Move the files of torrents to another folder.",
        "rename": "Give a file or folder of a torrent another path.",
        "queue": "Show the queue of downloads, or change its order.",
        "rm": "Remove torrents, into the trash.",
        "trash": "Show the trash, have torrents back from it, or empty it.",
        "export": "Write the torrent file of a torrent.",
        "categories": "List, make and remove categories.",
        "tags": "List, make and remove tags.",
        "rss": "Follow RSS feeds, and download by rules.",
        "storage": "Show what is kept only for now; pin, keep and remove of it.",
        "channel": "Follow and search channels that have no server, and publish your own.",
        "site": "Open sites that have no server, and publish your own.",
        "sync": "Keep folders the same on your devices, without a server.",
    },
    "Without a daemon": {
        "get": "Download torrents: files, magnet links, info hashes, URLs or - for stdin.",
        "seed": "Give content that is already here to others.",
        "create": "Make a .torrent file of a file or a folder.",
        "info": "Show what a .torrent file or a magnet link says.",
        "verify": "Check content on disk against a .torrent file, or a torrent of the daemon.",
        "magnet": "Print the magnet link of a torrent, or take one apart.",
        "publish": "Publish a torrent in the DHT under a key, or put another one in its place.",
        "tracker": "Run a tracker (HTTP and UDP).",
        "relay": "Run a relay, for devices of synced folders that cannot reach each other.",
        "chain": "Look at a chain that payments are made on, or run one of your own.",
        "demo": "Watch a whole swarm work on this machine: a tracker, a seed, three downloaders.",
    },
    "Help": {
        "settings": "List the settings: the keys of --set, their values and what they do.",
        "doctor": "Look for what could be wrong, and say what to do about it.",
        "completion": "Print the completion script of a shell.",
    },
}
"Each command with its one line, in the order of the help."
COMMANDS: dict[str, str] = {name: line for commands in SECTIONS.values() for name, line in commands.items()}

_MODULES: dict[str, str] = {
    **{name: f"remote.{name}" for section in ("Daemon", "Torrents of the daemon") for name in SECTIONS[section]},
    "serve": "serve", "top": "top", "import": "remote.imports", "open": "remote.opening",
    "web-seeds": "remote.webseeds",
    **dict.fromkeys(("start", "stop", "force", "reannounce"), "remote.acts"),
}
"Where the module of a command has another name than the command."


class LazyGroup(click.Group):
    """The commands of `COMMANDS`. The module of one has its name and holds `command`, or `NAME_command` where it has
    several.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"wildbach.interfaces.cli.{_MODULES.get(cmd_name, cmd_name)}")
        command = getattr(module, f"{cmd_name}_command", None) or module.command
        return command if isinstance(command, click.Command) else None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=line) for name, line in COMMANDS.items() if name.startswith(incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl(list(commands.items()))
