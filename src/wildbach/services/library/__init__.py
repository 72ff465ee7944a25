"""What a person makes of a heap of torrents: categories and tags, a queue, limits, a schedule, a trash, totals.

The engine moves bytes; this decides, for each torrent, whether it may run now, where its files belong, and when it has
given enough. It remembers in the state database what people said, before it is done.
"""
