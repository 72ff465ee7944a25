"""The settings of notifications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wildbach.base.settings import Section, setting

EVENTS: Final = ("complete", "error", "disk_full", "added", "limit", "feed_match", "feed_failed")


@dataclass(frozen=True, slots=True)
class NotifySettings(Section):
    urls: tuple[str, ...] = setting(
        (), "Where notifications go: URLs of apprise, as ntfy://ntfy.sh/TOPIC, tgram://TOKEN/CHAT, "
        "mailto://USER:PASSWORD@example.org or json://HOST/PATH (a comma within one is %2C). Needs the extra "
        "`wildbach[notify]`. The API shows and changes none of them.", secret=True)
    events: tuple[str, ...] = setting(
        ("complete", "error", "disk_full"),
        "What is told: a download is complete; a torrent stopped by itself; the disk is full; a torrent was added; a "
        "torrent has given enough; a rule of RSS took an article; a feed cannot be fetched.", live=True, choices=EVENTS)
