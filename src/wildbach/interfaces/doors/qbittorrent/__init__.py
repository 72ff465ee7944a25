"""The API of qBittorrent (WebAPI v2), so that programs written for it work with us: docs/qbittorrent-api.md.

A thin adapter: what is asked is asked of the Api, and told in the words of qBittorrent 5.1.
"""
