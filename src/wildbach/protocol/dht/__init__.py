"""The DHT (BEP 5 and what was added to it) without sockets: datagrams in, datagrams and results out.

`node.Node` is what is driven; `krpc` the messages; `table`, `lookup`, `items`, `peers` what a node knows, seeks and
keeps for others; `guard` and `security` what it does not let others do.
"""
