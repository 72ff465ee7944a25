"""Where in a film or song which second is: the indexes of mp4, Matroska and some simpler files.

Nothing here reads a file. `scanner.IndexScanner` says which range it needs next and is given the bytes, because they
may have to come from a swarm first. What a file claims of itself is believed only as far as it fits into the file.
"""
