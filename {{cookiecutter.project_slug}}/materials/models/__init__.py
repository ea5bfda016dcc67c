"""Copies of the main site's models of its materials, nested as deeply as they are over there."""

from .catalogue import Collection, Subject
from .content.chapter import Chapter, Section
from .content.material import Material

__all__ = ["Chapter", "Collection", "Material", "Section", "Subject"]
