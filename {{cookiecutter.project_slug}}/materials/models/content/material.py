"""A material in a collection."""

from django.db import models

from databases.mirror import MirrorModel

from ..catalogue import Collection, Subject


class Material(MirrorModel):
    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="materials")
    subjects = models.ManyToManyField(Subject, related_name="materials", blank=True)
    title = models.CharField(max_length=200)
    updated = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.title
