"""Example copies of another application's models, in nested modules. `make remove-examples` removes this app."""

from .catalogue import Collection, Subject
from .content.chapter import Chapter, Section
from .content.material import Material

__all__ = ["Chapter", "Collection", "Material", "Section", "Subject"]
