"""Example copies of another application's models. `make remove-examples` removes this app."""

from django.db import models

from databases.mirror import MirrorModel


class Organisation(MirrorModel):
    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Member(MirrorModel):
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="members")
    name = models.CharField(max_length=100)
    joined = models.DateField()

    def __str__(self) -> str:
        return self.name
