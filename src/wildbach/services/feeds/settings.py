"""The settings of RSS."""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.base import limits
from wildbach.base.settings import Section, setting

EPISODE_PATTERNS = (
    r"s(\d+)e(\d+)", r"(\d+)x(\d+)", r"(\d{4}[.\-]\d{1,2}[.\-]\d{1,2})", r"(\d{1,2}[.\-]\d{1,2}[.\-]\d{4})",
)
"Season and episode (`s01e02`, `1x02`), or a date."


@dataclass(frozen=True, slots=True)
class FeedSettings(Section):
    enabled: bool = setting(True, "Fetch feeds when they are due.", live=True)
    refresh_minutes: float = setting(
        30.0, "How often a feed is fetched that has no time of its own. One that says it changes less often is fetched "
        f"less often, but at least every {limits.FEED_TTL_SECONDS / 3600:g} hours.", live=True, min=1, max=10_080,
    )
    articles: int = setting(
        100, "Articles that are kept of each feed, the newest.", live=True, min=1, max=limits.FEED_ARTICLES)
    auto_download: bool = setting(False, "Download what the rules match.", live=True)
    repacks: bool = setting(
        True, "Rules with the smart episode filter take an episode again when it is a REPACK or PROPER.", live=True)
    episode_patterns: tuple[str, ...] = setting(
        EPISODE_PATTERNS, "Regular expressions by which the smart filter knows an episode; their groups name it.",
        live=True,
    )
    parallel: int = setting(4, "Feeds that are fetched at the same time.", live=True, min=1, max=32)
    host_seconds: float = setting(
        2.0, "Between two fetches from the same host, for many trackers send away who asks faster.", live=True, min=0,
        max=600,
    )
