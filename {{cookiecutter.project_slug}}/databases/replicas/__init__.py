"""Reads from replicas of the primary. A visitor or task that has written never reads data from before that write."""

from .pinning import use_primary, use_replica

__all__ = ["use_primary", "use_replica"]
