"""Playing while downloading: what players and browsers are given of a torrent's files."""
