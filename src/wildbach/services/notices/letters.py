"""What is said between the daemon and the process that sends: JSON on its standard input and output."""

from __future__ import annotations

import msgspec


class Post(msgspec.Struct, frozen=True):
    url: str
    title: str
    body: str
    failure: bool = False
    proxy: str = ""
    "The only place that may be connected to, an http:// URL; empty: any."


class Answer(msgspec.Struct, frozen=True):
    error: str
    "Empty where it was taken, else plain words without anything of the URL."
