"""The mirror: another application's database, read through copied models and never written."""

from typing import TYPE_CHECKING, Any

from .errors import MirrorWriteError

if TYPE_CHECKING:
    from .models import MirrorModel

__all__ = ["MirrorModel", "MirrorWriteError"]


def __getattr__(name: str) -> Any:
    # Imported on demand: settings and Django's app registry import this package before models can exist.
    if name == "MirrorModel":
        from .models import MirrorModel

        return MirrorModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
