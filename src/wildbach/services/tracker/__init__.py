"""The tracker service."""

from wildbach.services.tracker.access import Files
from wildbach.services.tracker.server import TrackerOptions, TrackerServer, TrackerStats

__all__ = ["Files", "TrackerOptions", "TrackerServer", "TrackerStats"]
