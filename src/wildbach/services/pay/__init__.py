"""Payments in TRX: the wallet that signs, and the books of what is owed. Off until somebody switches it on."""
