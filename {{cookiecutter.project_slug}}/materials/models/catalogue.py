"""The catalogue: nested collections, and the subjects of materials."""

from django.db import models

from accounts.models import Member
from databases.mirror import MirrorModel


class Subject(MirrorModel):
    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Collection(MirrorModel):
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="children")
    curator = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="collections")
    title = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.title
