"""Reads from replicas of the primary. No visitor reads older rows than they wrote or saw, and no old row is saved."""

from .reading import use_primary, use_replica

__all__ = ["use_primary", "use_replica"]
