"""Loads the other side of a key that points into another database, where no foreign key can."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Model


def load_related(objects: Iterable[Any], key: str, model: type[Model]) -> None:
    """Load the rows that a plain key column points at, all in one query, as `prefetch_related_objects()` does.

    `load_related(events, "note_id", Note)` sets `event.note` on each event, or `None` if there is no such note.
    Arguments: the objects; the name of their key, which ends in `_id`; and the model of the other side.
    Raises `ValueError` for another name, and whatever the query raises.
    """
    name = key.removesuffix("_id")
    if name in ("", key):
        raise ValueError(f"The key {key!r} must end in '_id', such as 'note_id', which sets 'note'.")
    found = list(objects)
    keys = {getattr(each, key) for each in found} - {None}
    others = model._default_manager.in_bulk(keys) if keys else {}
    for each in found:
        setattr(each, name, others.get(getattr(each, key)))
