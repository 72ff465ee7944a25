"""Notifications: what happened, told to the services that people chose, by a process of its own."""
