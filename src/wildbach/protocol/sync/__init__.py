"""Folders that are kept the same on several devices: what devices sign, say and agree on, as bytes and values.

`vectors` say which change knew of which, `entries` what one device says that a path holds, `messages` what devices say
to each other, `proofs` which folders they have in common. `devices` are keys, `secrets` what is derived of a folder's,
`sealing` how they come to a device. A `roster` lists who has a folder; `rosters` are all that are known of one, and
`resolving` what they come to; `writing` makes them. `cuts` say what counts of those who wrote before; `links` are how
devices come, and `recovery` is the key above all owners.
"""
