"""Reads from replicas of the primary, without ever reading a past in which your own write did not happen."""

from .pinning import use_primary, use_replica

__all__ = ["use_primary", "use_replica"]
