"""What the exit code of each command says, in one table; docs/exit-codes.md is made from it."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from wildbach.base.errors import FormatError, NetworkError, RemoteError, StorageError, UsageError, WildbachError


class Exit(IntEnum):
    """The exit codes of every command. They do not change between versions."""

    OK = 0
    FAILED = 1
    USAGE = 2
    BAD_TORRENT = 3
    STORAGE = 4
    NETWORK = 5
    INTERRUPTED = 130
    TERMINATED = 143


MEANINGS: dict[Exit, str] = {
    Exit.OK: "Done. `get`: every wanted byte is verified and flushed to the disk. `verify`: every file is good.",
    Exit.FAILED: "Not done: the content is incomplete or wrong, or a fault that no other row names.",
    Exit.USAGE: "The command line asks for something that cannot be: an unknown flag, a missing value, no such file.",
    Exit.BAD_TORRENT: "The torrent, magnet link or info hash is malformed or over a limit; nothing was written.",
    Exit.STORAGE: "The disk said no: full, read-only, not permitted, or files that are not ours at the target.",
    Exit.NETWORK: "The network said no: cannot listen there, cannot fetch that URL, no daemon runs or answers, or "
    "`--timeout` passed.",
    Exit.INTERRUPTED: "Stopped by Ctrl-C after a clean shutdown; the same command goes on where it stopped.",
    Exit.TERMINATED: "Stopped by SIGTERM after a clean shutdown; the same command goes on where it stopped.",
}

PEERS_LISTEN: Final = "connections.listen"
"The setting of where peers reach us, as a fact of errors about such a place where `--listen` means another."
LISTEN_CODES: Final = ("port_in_use", "not_our_address", "not_on_interface", "port_forbidden")

_BY_KIND: tuple[tuple[type[WildbachError], Exit], ...] = (
    (UsageError, Exit.USAGE),
    (FormatError, Exit.BAD_TORRENT),
    (StorageError, Exit.STORAGE),
    (NetworkError, Exit.NETWORK),
    (RemoteError, Exit.NETWORK),
)

_HINTS: dict[str, str] = {
    "target_exists": "Move those files away, or choose: --overwrite replaces them, --rename uses another name.",
    "disk_full": "Free some space and run the same command again: it goes on where it stopped.",
    "read_only": "That file system is mounted read-only: choose another folder with -o.",
    "no_folder": "Choose another folder with -o.",
    "no_permission": "Choose another folder with -o, or change its permissions.",
    "too_many_files": "Raise the limit of open files (ulimit -n) and run the same command again.",
    "io_error": "The disk reports a fault; look at the system log before you trust it with more.",
    "changed": "Leave its files alone while wildbach writes to them. The same command checks them and goes on.",
    "missing": "Is this the folder that holds the content, and is its disk mounted?",
    "in_use": "Another torrent or another wildbach writes there: wait for it, or choose another folder with -o.",
    "incomplete": "Is this the folder that holds the content? "
    "`wildbach verify` says what is missing; `wildbach get` with the same folder fetches it.",
    "port_in_use": "Another program uses that port: choose another one with --listen=HOST:PORT, or port 0 for any that "
    "is free.",
    "not_our_address": "This machine has no such address: 0.0.0.0 stands for all it has, [::] for those of IPv6.",
    "not_on_interface": "Leave --listen out, or name an address that this interface has.",
    "port_forbidden": "Ports below 1024 need special rights: choose a higher one with --listen=HOST:PORT.",
    "store_unreachable": "Is that Redis or Valkey server running? Without --store one process needs none.",
    "store_refused": "The URL takes a password: redis://:PASSWORD@HOST:PORT.",
    "newer_state": "Use that version, or keep the state of this one elsewhere: --state DIR.",
    "no_daemon": "`wildbach serve` starts one; --url or $WILDBACH_URL names one elsewhere.",
    "unreachable": "Is the daemon running there, and does it listen at that address?",
    "unauthorized": "A key is needed: `wildbach keys make` gives one there; --key or $WILDBACH_KEY takes it.",
    "no_wallet": "`wildbach wallet create` makes one, `wildbach wallet import` takes one on.",
    "mainnet_unconfirmed": "`wildbach wallet consent` asks for it.",
    "pinned_setting": "Change it there; then it holds from the next start on.",
    "head_ahead": "If that was you, from another machine or before a backup was put back: publish with --adopt.",
    "over_limit": "The torrent asks for more than wildbach permits; see docs/limits.md.",
}


def code_for(error: WildbachError) -> Exit:
    """The exit code that tells whose fault `error` is."""
    for kind, code in _BY_KIND:
        if isinstance(error, kind):
            return code
    return Exit.FAILED


def hint_for(error: WildbachError) -> str:
    """What a person can do about `error`, or nothing where the message says it all."""
    hint = _HINTS.get(error.code, "")
    # `--listen` of the daemon is where the API listens.
    return hint.replace("--listen", f"--set {PEERS_LISTEN}") if error.facts.get("setting") == PEERS_LISTEN else hint
