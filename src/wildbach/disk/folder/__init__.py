"""Folders that are kept the same on several devices: what stands on the disk, and how it changes safely."""
