"""The Socket.IO gateway: Socket.IO rooms, snapshots, conflation, eviction."""

__version__ = "0.1.0"
