"""The RPC of Transmission, so that programs written for it work with us: docs/transmission-rpc.md.

A thin adapter: what is asked is asked of the Api. There are two dialects, the one that all programs speak (4.0, RPC
version 17) and JSON-RPC 2.0 (4.1, 6.0.0); both come from the same tables, where everything has its name of 4.1.
"""
