"""Turns a subset of the mirror into a fixture for `databases.foreign.seeding`, and into a report."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model

from databases.mirror.redaction import looks_like, redact, secret_column
from databases.mirror.relations import concrete_target, key_columns, targets_of
from databases.mirror.subset import Subset


def as_fixture(subset: Subset, rules: dict[Any, str]) -> tuple[str, list[str]]:
    """Return the fixture of a subset, and the lines of a report on its rows and what was redacted.

    Arguments: the subset, and the rules of `MIRROR_SEED_COLUMNS` by field. Raises `CommandError` for a key that looks
    secret: a changed key would break the relations to its row.
    """
    keys = key_columns()
    records: list[dict[str, Any]] = []
    report: list[str] = []
    for model in sorted(subset.rows, key=lambda each: (len(targets_of(each)), each._meta.label)):
        done: Counter[tuple[str, str, str]] = Counter()
        for _, row in sorted(subset.rows[model].items()):
            for field in _columns(model):
                value = getattr(row, field.attname)
                if field in keys:
                    _check_key(field, value, rules)
                    continue
                redacted = redact(field, value, row.pk, rules.get(field))
                setattr(row, field.attname, redacted.value)
                done[field.name, redacted.done, redacted.why] += 1
            records.append(_record(row))
        report += _lines(model, subset, done)
    _add_links(records, subset)
    text = json.dumps(records, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
    return f"{text}\n", report


def _columns(model: type[Model]) -> list[Any]:
    """Return the columns of a model's own table, without generated ones, which the database computes."""
    return [field for field in model._meta.local_concrete_fields if not getattr(field, "generated", False)]


def _check_key(field: Any, value: Any, rules: dict[Any, str]) -> None:
    # The value of a foreign key is checked as a key of its target.
    if not field.remote_field and rules.get(field) != "keep":
        looks = isinstance(value, str) and looks_like(value)
        if why := secret_column(field) or (looks and f"because one looks like {looks}"):
            label, name = field.model._meta.label, f"{field.model._meta.label_lower}.{field.name}"
            raise CommandError(
                f"The keys {label}.{field.name} look secret, {why}, and keys cannot be changed. "
                f'Set "{name}": "keep" in MIRROR_SEED_COLUMNS, or do not capture {label}.'
            )


def _record(row: Model) -> dict[str, Any]:
    model = type(row)
    fields = {field.name: _plain(row, field) for field in _columns(model) if not field.primary_key}
    return {"model": model._meta.label_lower, "pk": _plain(row, model._meta.pk), "fields": fields}


def _plain(row: Model, field: Any) -> Any:
    """Return a value for a fixture: as it is if JSON has its type, or else as the field serializes it."""
    value = field.value_from_object(row)
    return value if value is None or isinstance(value, bool | int | float | str) else field.value_to_string(row)


def _add_links(records: list[dict[str, Any]], subset: Subset) -> None:
    by_key = {(record["model"], record["pk"]): record["fields"] for record in records}
    for field, pairs in subset.links.items():
        model, target = field.model, concrete_target(field)
        for row in subset.rows[model].values():
            by_key[model._meta.label_lower, _plain(row, model._meta.pk)][field.name] = []
        for near, far in pairs:
            ends = subset.rows[model][near], subset.rows[target][far]
            keys = [_plain(row, type(row)._meta.pk) for row in ends]
            by_key[model._meta.label_lower, keys[0]][field.name].append(keys[1])


def _lines(model: type[Model], subset: Subset, done: Counter[tuple[str, str, str]]) -> list[str]:
    left_out = subset.left_out[model]
    rest = f"; {left_out} left out, because rows they refer to exceed the limit or are missing" if left_out else ""
    changed = [f"  {name}: {count} {what}, {why}" for (name, what, why), count in sorted(done.items()) if why]
    return [f"{model._meta.label_lower}: {len(subset.rows[model])} rows{rest}", *changed]
