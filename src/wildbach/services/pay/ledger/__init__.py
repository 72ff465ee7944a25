"""The books of who buys and who sells blocks: pure state, without sockets, files and clocks (docs/paying.md)."""
