"""Torrents of other clients: their state folders, read so that all goes on here without downloading again.

    for state in find(Path("~/.local/share/qBittorrent").expanduser()):
        for item in torrents(state, PathMap([("D:\\\\Torrents", "/srv/torrents")])):
            ...
"""

from wildbach.services.migrate.content import lacking
from wildbach.services.migrate.finding import find, general, places, torrents
from wildbach.services.migrate.found import Category, Client, Found, General, Limits, Start, State, Unreadable
from wildbach.services.migrate.placing import PathMap

__all__ = [
    "Category", "Client", "Found", "General", "Limits", "PathMap", "Start", "State", "Unreadable", "find", "general",
    "lacking", "places", "torrents",
]
