"""Turns a sample of the mirror into the text of a fixture, as `databases.testing.seeding` loads it, and a report."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model

from .redaction import looks_like, redact, secret_column
from .relations import concrete_target, key_columns, leads_to
from .sample import Sample


def as_fixture(sample: Sample, ways: dict[Any, str]) -> tuple[str, list[str]]:
    """Return the fixture of a sample, and lines that say what is in it and what was done to it.

    Arguments: the sample, and what `MIRROR_SEED_COLUMNS` says of columns. Raises `CommandError` for a key that looks
    secret: it cannot be changed without losing what leads to it.
    """
    keys = key_columns()
    records: list[dict[str, Any]] = []
    report: list[str] = []
    for model in sorted(sample.rows, key=lambda each: (len(leads_to(each)), each._meta.label)):
        done: Counter[tuple[str, str, str]] = Counter()
        for _, row in sorted(sample.rows[model].items()):
            for field in _columns(model):
                value = getattr(row, field.attname)
                if field in keys:
                    _check_key(field, value, ways)
                    continue
                redacted = redact(field, value, row.pk, ways.get(field))
                setattr(row, field.attname, redacted.value)
                done[field.name, redacted.done, redacted.why] += 1
            records.append(_record(row))
        report += _lines(model, sample, done)
    _add_links(records, sample)
    text = json.dumps(records, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
    return f"{text}\n", report


def _columns(model: type[Model]) -> list[Any]:
    """Return the columns of a model's own table that are written; the database fills generated ones by itself."""
    return [field for field in model._meta.local_concrete_fields if not getattr(field, "generated", False)]


def _check_key(field: Any, value: Any, ways: dict[Any, str]) -> None:
    # A foreign key holds a key of its target, which is judged there.
    if not field.remote_field and ways.get(field) != "keep":
        looks = isinstance(value, str) and looks_like(value)
        if why := secret_column(field) or (looks and f"because one looks like {looks}"):
            label, name = field.model._meta.label, f"{field.model._meta.label_lower}.{field.name}"
            raise CommandError(
                f"The keys {label}.{field.name} look secret, {why}, and keys cannot be changed: "
                f'say "{name}": "keep" in MIRROR_SEED_COLUMNS, or leave {label} out.'
            )


def _record(row: Model) -> dict[str, Any]:
    model = type(row)
    fields = {field.name: _plain(row, field) for field in _columns(model) if not field.primary_key}
    return {"model": model._meta.label_lower, "pk": _plain(row, model._meta.pk), "fields": fields}


def _plain(row: Model, field: Any) -> Any:
    """Return a value as a fixture holds it: what JSON has, or else what the field makes of it."""
    value = field.value_from_object(row)
    return value if value is None or isinstance(value, bool | int | float | str) else field.value_to_string(row)


def _add_links(records: list[dict[str, Any]], sample: Sample) -> None:
    by_key = {(record["model"], record["pk"]): record["fields"] for record in records}
    for field, pairs in sample.links.items():
        model, target = field.model, concrete_target(field)
        for row in sample.rows[model].values():
            by_key[model._meta.label_lower, _plain(row, model._meta.pk)][field.name] = []
        for near, far in pairs:
            ends = sample.rows[model][near], sample.rows[target][far]
            keys = [_plain(row, type(row)._meta.pk) for row in ends]
            by_key[model._meta.label_lower, keys[0]][field.name].append(keys[1])


def _lines(model: type[Model], sample: Sample, done: Counter[tuple[str, str, str]]) -> list[str]:
    left_out = sample.left_out[model]
    rest = f"; {left_out} left out, because what their keys lead to did not fit or is missing" if left_out else ""
    changed = [f"  {name}: {count} {what}, {why}" for (name, what, why), count in sorted(done.items()) if why]
    return [f"{model._meta.label_lower}: {len(sample.rows[model])} rows{rest}", *changed]
