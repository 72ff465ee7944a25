"""Which key does what, once: what is typed, the help and the footer are all read from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Key:
    act: str
    typed: tuple[str, ...]
    "A character, or the name of a key."
    shown: str
    words: str
    brief: str = ""
    "In the footer; empty: not there."


MOVING: Final = (
    Key("down", ("j", "down"), "j ↓", "down"),
    Key("up", ("k", "up"), "k ↑", "up"),
    Key("first", ("gg", "home"), "gg Home", "to the beginning"),
    Key("last", ("G", "end"), "G End", "to the end"),
    Key("half_down", ("ctrl+d",), "Ctrl-d", "half a page down"),
    Key("half_up", ("ctrl+u",), "Ctrl-u", "half a page up"),
    Key("page_down", ("pagedown", "ctrl+f"), "PgDn", "a page down"),
    Key("page_up", ("pageup", "ctrl+b"), "PgUp", "a page up"),
    Key("into", ("l", "right", "enter"), "l → Enter", "into details, open a folder"),
    Key("back", ("h", "left"), "h ←", "back to the list, shut a folder"),
    Key("other", ("tab", "shift+tab"), "Tab", "list and details in turn"),
    Key("details", ("i",), "i", "show or hide details", "details"),
    Key("tab", ("1", "2", "3", "4", "5", "6"), "1 … 6", "overview, files, peers, trackers, pieces, log"),
)
FINDING: Final = (
    Key("search", ("/",), "/", "only names with these words", "search"),
    Key("next", ("n",), "n", "next one found"),
    Key("previous", ("N",), "N", "the one before"),
    Key("chip_next", ("]",), "]", "next kind: all, active, …"),
    Key("chip_previous", ("[",), "[", "the kind before"),
    Key("sort_next", (">",), ">", "sort by the next column"),
    Key("sort_previous", ("<",), "<", "by the column before"),
    Key("reverse", ("O",), "O", "the other way round"),
)
CHOOSING: Final = (
    Key("mark", ("space",), "Space", "mark; of files: want or not", "mark"),
    Key("visual", ("v",), "v", "mark from here on; v again ends it"),
    Key("extend_down", ("shift+down",), "Shift-↓", "mark, and go down"),
    Key("extend_up", ("shift+up",), "Shift-↑", "mark, and go up"),
    Key("mark_all", ("*",), "*", "mark all that are listed"),
    Key("leave", ("escape",), "Esc", "no marks, no search, no details"),
)
DOING: Final = (
    Key("add", ("a",), "a", "add: link, file, hash", "add"),
    Key("start", ("s",), "s", "start", "start"),
    Key("stop", ("S",), "S", "stop", "stop"),
    Key("force", ("f",), "f", "start whatever the queue says"),
    Key("reannounce", ("r",), "r", "ask trackers for peers now"),
    Key("check", ("C",), "C", "check the files"),
    Key("remove", ("d", "delete"), "d", "remove", "remove"),
    Key("undo", ("u",), "u", "have back what was removed", "undo"),
    Key("move", ("m",), "m", "move to another folder"),
    Key("queue_down", ("J",), "J", "later in the queue"),
    Key("queue_up", ("K",), "K", "earlier in the queue"),
    Key("limits", ("L",), "L", "speed limits"),
    Key("category", ("c",), "c", "category"),
    Key("tags", ("t",), "t", "tags"),
    Key("copy", ("y",), "y", "copy the magnet link"),
)
FILES: Final = (
    Key("raise", ("+", "="), "+", "earlier"),
    Key("lower", ("-",), "-", "later, then not at all"),
)
WHOLE: Final = (
    Key("slow", ("z",), "z", "slow mode on or off", "slow mode"),
    Key("help", ("?",), "?", "these keys", "help"),
    Key("quit", ("q", "ctrl+c"), "q", "leave", "quit"),
)
GROUPS: Final = (
    ("Move", MOVING), ("Find", FINDING), ("Choose", CHOOSING), ("Do", DOING), ("Files", FILES), ("Screen", WHOLE),
)
ACTS: Final[dict[str, str]] = {name: key.act for _, keys in GROUPS for key in keys for name in key.typed}
PREFIXES: Final = frozenset(name[0] for name in ACTS if len(name) == 2 and name[0] == name[1])
"Typed twice they are one key."
FOOTER: Final = tuple(
    key for act in ("add", "start", "stop", "remove", "mark", "search", "details", "slow", "help", "quit")
    for _, keys in GROUPS for key in keys if key.act == act)
