"""The model of the secondary that the layer's tests work on. It points at a note of the primary by a plain key."""

from django.db import models


class Entry(models.Model):
    text = models.CharField(max_length=200)
    note_id = models.BigIntegerField(null=True, db_index=True)

    def __str__(self) -> str:
        return self.text
