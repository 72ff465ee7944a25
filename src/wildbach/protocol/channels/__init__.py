"""Channels: what one key publishes as items to play and read, in the files of a torrent that changes (BEP 46).

`items` are the values and their JSON, `files` says which files a version has and what of them is taken, `shelves` how
a version is made of the one before, `tron` reads payout addresses.
"""
