"""Folders that are kept the same on several devices: what devices sign, say and agree on, as bytes and values.

`vectors` say which change knew of which, `entries` what one device says that a path holds, `messages` what devices say
to each other, `proofs` which folders they have in common.
"""
