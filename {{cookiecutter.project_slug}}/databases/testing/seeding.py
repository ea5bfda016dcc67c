"""Loads seeds through historical models, and brings their rows back after a flush.

`loaddata` reads fixtures through today's models, so a seed breaks with the next change of a model; here the migration
passes the models of its own point in history. After the last migration a copy of the seeded tables is kept in the test
database itself, so that clones, parallel workers and kept databases have it too; `flush` brings the rows back from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from django.apps.registry import Apps
from django.core.management.color import no_style
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import truncate_name
from django.db.models import DateField, Model, TimeField
from django.db.models.fields.related import ManyToManyField


def load_fixture(path: Path, apps: Apps, alias: str) -> None:
    """Load a JSON fixture, made by `dumpdata` without natural keys, through the models in `apps`.

    Arguments: the file, the historical registry that a migration passes, and the database. Raises `ValueError` for a
    natural key, which historical managers cannot look up, and `IntegrityError` for a key that leads nowhere.
    """
    connection = connections[alias]
    records = json.loads(path.read_text(encoding="utf-8"))
    models: list[type[Model]] = []
    with transaction.atomic(using=alias), connection.constraint_checks_disabled():
        for label, group in groupby(records, key=lambda record: str(record["model"])):
            model = apps.get_model(label)
            _insert(model, list(group), alias)
            models += [model, *(_through(field) for field in model._meta.local_many_to_many)]
        connection.check_constraints([model._meta.db_table for model in models])
        _reset_sequences(connection, models)


def _insert(model: type[Model], records: list[dict[str, Any]], alias: str) -> None:
    for dated in model._meta.local_fields:
        # bulk_create would overwrite the dumped dates; this is the historical class, today's model is untouched.
        if isinstance(dated, DateField | TimeField):
            dated.auto_now = dated.auto_now_add = False
    objects: list[Model] = []
    links: list[tuple[Any, Any, list[Any]]] = []
    for record in records:
        if "pk" not in record:
            raise ValueError(f"{record['model']} has no pk; dump seeds without --natural-primary.")
        values: dict[str, Any] = {model._meta.pk.attname: model._meta.pk.to_python(record["pk"])}
        for name, value in record["fields"].items():
            field: Any = model._meta.get_field(name)
            many = isinstance(field, ManyToManyField)
            if field.remote_field and any(isinstance(key, list) for key in (value if many else [value])):
                raise ValueError(f"{record['model']}.{name} is a natural key; dump seeds without --natural-foreign.")
            if many:
                links.append((field, record["pk"], value))
            else:
                values[field.attname] = field.to_python(value)
        objects.append(model(**values))
    if model._meta.parents:
        for instance in objects:
            # bulk_create refuses multi-table children; raw saves their own table only, as loaddata does.
            instance.save_base(raw=True, using=alias, force_insert=True)
    else:
        model._base_manager.using(alias).bulk_create(objects, batch_size=500)
    for field, pk, targets in links:
        through = _through(field)
        near, far = f"{field.m2m_field_name()}_id", f"{field.m2m_reverse_field_name()}_id"
        rows = [through(**{near: pk, far: target}) for target in targets]
        through._base_manager.using(alias).bulk_create(rows)


def _through(field: Any) -> type[Model]:
    through: type[Model] = field.remote_field.through
    return through


def keep_copies(alias: str, models: list[type[Model]]) -> None:
    """Copy the rows of the models' tables into tables beside them, in the same database."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        for table, copy, _ in _tables(connection, models):
            cursor.execute(f"DROP TABLE IF EXISTS {copy}")
            cursor.execute(f"CREATE TABLE {copy} AS SELECT * FROM {table}")


def restore_copies(alias: str, models: list[type[Model]]) -> None:
    """Put the rows of the copies back, in place of whatever the tables hold, and set the sequences after them."""
    connection = connections[alias]
    with transaction.atomic(using=alias), connection.constraint_checks_disabled(), connection.cursor() as cursor:
        for table, copy, columns in _tables(connection, models):
            cursor.execute(f"DELETE FROM {table}")
            cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {copy}")
        _reset_sequences(connection, models)


def _tables(connection: BaseDatabaseWrapper, models: list[type[Model]]) -> Iterator[tuple[str, str, str]]:
    """Yield `(table, its copy, its columns)`, quoted; the database fills generated columns by itself."""
    quote = connection.ops.quote_name
    for model in models:
        table = model._meta.db_table
        fields = [field for field in model._meta.local_concrete_fields if not getattr(field, "generated", False)]
        columns = ", ".join(quote(str(field.column)) for field in fields)
        yield quote(table), quote(truncate_name(f"seed_of_{table}", connection.ops.max_name_length())), columns


def _reset_sequences(connection: BaseDatabaseWrapper, models: list[type[Model]]) -> None:
    # PostgreSQL's sequences do not see the keys that a fixture brings; the next insert would meet one of them.
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)
