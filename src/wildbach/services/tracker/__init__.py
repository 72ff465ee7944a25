"""The embedded tracker."""

from wildbach.services.tracker.server import TrackerServer, TrackerStats

__all__ = ["TrackerServer", "TrackerStats"]
