"""Folders that are kept the same on several devices, as pure functions of three trees (docs/sync-model.md)."""
