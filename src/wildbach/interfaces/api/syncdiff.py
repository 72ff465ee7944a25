"""Where two texts differ, line by line, for people to look at. Both come from disks of others: all of it is bounded."""

from __future__ import annotations

import difflib
from typing import Final

from wildbach.interfaces.api import syncmodels as sy

MOST_BYTES: Final = 256 * 1024
"Of a file that is shown."
MOST_LINES: Final = 1000
"Of each, beginning where they first differ: comparing takes time by their product."
LINE_CHARS: Final = 400
_AROUND: Final = 3
"Equal lines before and after what differs."


def difference(place: bytes, copy: bytes) -> sy.SyncDifference:
    """`place`: the file under its name."""
    texts = _text(place), _text(copy)
    if texts[0] is None or texts[1] is None:
        return sy.SyncDifference((), "binary")
    ours, theirs = texts[0].splitlines(), texts[1].splitlines()
    head = next((at for at, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other),
                min(len(ours), len(theirs)))
    start = max(0, head - _AROUND)
    cut = max(len(ours), len(theirs)) - start > MOST_LINES
    ours, theirs = ours[start : start + MOST_LINES], theirs[start : start + MOST_LINES]
    found: list[sy.SyncLine] = []
    shown = -start
    for group in difflib.SequenceMatcher(None, ours, theirs).get_grouped_opcodes(_AROUND):
        if group[0][1] > shown:
            found.append(_gap(group[0][1] - shown))
        for tag, first, last, low, high in group:
            if tag == "equal":
                found += [_line("same", each) for each in ours[first:last]]
            else:
                found += [_line("place", each) for each in ours[first:last]]
                found += [_line("copy", each) for each in theirs[low:high]]
        shown = group[-1][2]
    if len(ours) > shown and found:
        found.append(_gap(len(ours) - shown))
    return sy.SyncDifference(tuple(found), "cut" if cut else "")


def _text(raw: bytes) -> str | None:
    try:
        found = raw.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in found else found


def _line(what: sy.SyncLineKind, text: str) -> sy.SyncLine:
    return sy.SyncLine(what, text if len(text) <= LINE_CHARS else text[:LINE_CHARS] + "…")


def _gap(lines: int) -> sy.SyncLine:
    return sy.SyncLine("gap", str(lines))
