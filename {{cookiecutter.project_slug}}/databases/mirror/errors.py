"""The error of a write to the mirror."""

from django.db import DatabaseError


class MirrorWriteError(DatabaseError):
    """A write was refused because it would have gone to the mirror, which belongs to another application."""
