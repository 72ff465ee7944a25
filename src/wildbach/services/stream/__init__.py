"""Playing: what of a torrent can be played, in which order, with which subtitles, how far somebody got, and films as
browsers play them.

`kinds` and `names` read file names, `playables` puts them together; `positions` and `tokens` are remembered by a
keeper.
`remux` makes of media what browsers take, by processes of its own.
"""
