"""wildbach: a BitTorrent engine and client."""

__version__ = "0.1.0"
