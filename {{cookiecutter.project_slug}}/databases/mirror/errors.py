"""What a write to the mirror raises."""

from django.db import DatabaseError


class MirrorWriteError(DatabaseError):
    """A write would have gone to the mirror, which belongs to another application."""
