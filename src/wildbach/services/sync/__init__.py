"""Folders that are kept the same on several devices: what is to be done, by three trees (docs/sync-model.md)."""
