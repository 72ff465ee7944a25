"""Playing: what of a torrent can be played, in which order, with which subtitles, and how far somebody got.

`kinds` and `names` read file names, `playables` puts them together; `positions` and `tokens` are remembered by a
keeper. Nothing here opens a file or a socket.
"""
