"""Another application's database, read through copies of its models and never written to."""

from .errors import MirrorWriteError
from .models import MirrorModel

__all__ = ["MirrorModel", "MirrorWriteError"]
