"""Folders that are kept the same on several devices."""
