"""A library with relations to itself, to another app and to many, as the mirror's tests read it."""

from .catalogue import Collection, Subject
from .content.chapter import Chapter, Section
from .content.material import Material

__all__ = ["Chapter", "Collection", "Material", "Section", "Subject"]
