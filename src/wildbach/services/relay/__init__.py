"""A relay for devices that cannot reach each other: `protocol.sync.relay` with sockets, and its numbers."""
