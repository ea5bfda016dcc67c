"""An example app in the secondary: an audit log. `make remove-examples` removes it."""

from __future__ import annotations

from typing import Any

from django.db import models

from databases import atomic_for


class Event(models.Model):
    action = models.CharField(max_length=50)
    # Plain keys: the rows are in the primary, and no foreign key can point into another database.
    note_id = models.BigIntegerField(db_index=True)
    user_id = models.BigIntegerField(null=True, db_index=True)
    happened = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.action} {self.note_id}"


def record(action: str, note_id: int, user: Any) -> Event:
    """Write an event. The secondary commits it at once, even inside a transaction on the primary.

    Raises `OperationalError` if the secondary is down. Inside `atomic_for(Note)` that error undoes the note too, so no
    note is without its event. An event may tell of a note whose transaction failed after it.
    """
    with atomic_for(Event):
        return Event.objects.create(action=action, note_id=note_id, user_id=user.pk)
