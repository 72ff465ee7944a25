"""The settings of sites."""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.base.settings import Section, setting


@dataclass(frozen=True, slots=True)
class SiteSettings(Section):
    enabled: bool = setting(True, "Show sites, and look for newer versions of those that were opened.", live=True)
    most_size: int = setting(
        1 << 30, "A version of more bytes is not fetched before somebody said yes to its size.", live=True, min=0,
        unit="B")
    versions: int = setting(
        2, "Older versions of a site that stay on the disk and are given to others.", live=True, min=0, max=100)
    refresh_minutes: float = setting(
        15.0, "How often it is asked whether a site has changed. One that is opened is asked for at once.", live=True,
        min=1, max=1440)
    forget_days: int = setting(
        30, "Days after which a site that nobody opens is not looked up any more, until it is opened again. What is "
        "here of it is given to others on.", live=True, min=1, max=3650, unit="d")
