"""The parts of a material: chapters, and sections inside sections."""

from django.db import models

from databases.mirror import MirrorModel

from .material import Material


class Chapter(MirrorModel):
    material = models.ForeignKey(Material, on_delete=models.CASCADE, related_name="chapters")
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=200)

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return self.title


class Section(MirrorModel):
    chapter = models.ForeignKey(Chapter, on_delete=models.CASCADE, related_name="sections")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="children")
    body = models.TextField()

    def __str__(self) -> str:
        return self.body[:40]
