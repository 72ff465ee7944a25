"""Channels: what one key publishes as items to play and read, without a server. Followers keep every version they have
alive, and search all items in an index of their own.
"""
