"""TRON, as far as a wallet, a payer and a chain for development need it: addresses, keys, transactions, typed data.

Facts: java-tron's protocol definitions (field numbers), TIP-712 and TIP-474. Nothing here asks a node.
"""
