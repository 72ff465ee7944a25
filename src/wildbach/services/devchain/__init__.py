"""A chain of TRON of one's own: what java-tron does with transactions and contracts, in one process, for play money."""
