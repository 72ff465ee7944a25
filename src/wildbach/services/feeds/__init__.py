"""RSS: feeds in folders, their articles, and rules that say which of them are downloaded.

`service.Feeds` is what others use; the rest is pure, but for `refresher` and `outbox`, which fetch.
"""
