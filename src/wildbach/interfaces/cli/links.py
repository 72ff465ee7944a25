"""Start links, for people: as text, as a picture that a phone reads, and in the browser of this machine."""

from __future__ import annotations

import io
import os
import shutil
import sys
import webbrowser

import click

from wildbach.interfaces.cli import output

qr_option = click.option(
    "--qr/--no-qr", default=None,
    help="Show the link as a QR code.  [default: in a terminal, where other machines can reach the daemon]")


def lines(here: str, away: str, path: str, *, qr: bool | None = None) -> list[str]:
    """What is printed of a link: `path` is the same at `here`, for browsers of this machine, and `away`, for those of
    others; empty where they cannot reach it.
    """
    found = [_joined(here or away, path)]
    wanted = qr if qr is not None else bool(away) and output.is_live() and _takes_blocks()
    if not wanted:
        return found
    url = _joined(away or here, path)
    picture = drawn(url)
    if qr is None and len(picture[0]) > shutil.get_terminal_size().columns:
        return found
    if url != found[0]:
        found += ["The same for a phone or another machine:", url]
    return [*found, *picture]


def browse(url: str) -> None:
    """Open the browser, where there is a screen for it. A browser for terminals would take this one."""
    if sys.platform in ("darwin", "win32") or any(
            os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")):
        webbrowser.open(url)


def _joined(root: str, path: str) -> str:
    return f"{root.rstrip('/')}/{path}"


def _takes_blocks() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def drawn(url: str) -> list[str]:
    """Light is what is printed, so it reads on a dark terminal; most phones read it on a light one too."""
    import segno  # noqa: PLC0415 - start-up time: most links are printed without

    out = io.StringIO()
    segno.make(url, error="l", micro=False).terminal(out, border=2, compact=True)
    return out.getvalue().splitlines()
