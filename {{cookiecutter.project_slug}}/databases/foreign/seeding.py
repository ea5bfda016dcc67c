"""Loads seeds through historical models, and restores their rows after a flush.

`loaddata` reads fixtures through current models, so a seed would break with the next change of a model. A seeding
migration passes the historical models of its own state instead. After the last migration each seeded table is copied
inside the test database, so that clones, parallel workers and kept databases have the copies too. A flush restores the
rows from them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from django.apps import AppConfig, apps
from django.apps.registry import Apps
from django.conf import settings
from django.core.management.color import no_style
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import truncate_name
from django.db.models import DateField, Model, TimeField
from django.db.models.fields.related import ManyToManyField
from django.db.models.signals import post_migrate
from django.utils import timezone

from databases.foreign.mode import is_test_database
from databases.registry import is_foreign, models_of, role_of_alias, roles_of


def load_seed(folder: Path, historical: Apps, alias: str) -> None:
    """Load the fixture of a database's role, such as `mirror.json`. Arguments: as for `load_fixture`, with the folder.

    Raises `RuntimeError` unless the database is the test database of a foreign one.
    """
    if not is_foreign(alias) or not is_test_database(alias):
        # An error, not a return: Django would record the migration as applied.
        raise RuntimeError(
            f"Seeds are for the test databases of foreign databases, and {alias!r} is not one: use loaddata."
        )
    load_fixture(folder / f"{role_of_alias(alias)}.json", historical, alias)


def load_fixture(path: Path, historical: Apps, alias: str) -> None:
    """Load a JSON fixture, made by `dumpdata` without natural keys, through historical models.

    Arguments: the file, the historical app registry that a migration passes, and the alias of the database. Raises
    `ValueError` for a natural key, which historical managers cannot look up, and `IntegrityError` for a foreign key
    without a target.
    """
    connection = connections[alias]
    records = json.loads(path.read_text(encoding="utf-8"))
    models: list[type[Model]] = []
    with transaction.atomic(using=alias), connection.constraint_checks_disabled():
        for label, group in groupby(records, key=lambda record: str(record["model"])):
            model = historical.get_model(label)
            _insert(model, list(group), alias)
            models += [model, *(_through(field) for field in model._meta.local_many_to_many)]
        connection.check_constraints([model._meta.db_table for model in models])
        _reset_sequences(connection, models)


def _insert(model: type[Model], records: list[dict[str, Any]], alias: str) -> None:
    for dated in model._meta.local_fields:
        # bulk_create would overwrite the dumped dates. This is the historical class: the current model keeps them.
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
                values[field.attname] = _as_stored(field.to_python(value))
        objects.append(model(**values))
    if model._meta.parents:
        for instance in objects:
            # bulk_create refuses multi-table children. A raw save writes their own table only, as loaddata does.
            instance.save_base(raw=True, using=alias, force_insert=True)
    else:
        model._base_manager.using(alias).bulk_create(objects, batch_size=500)
    for field, pk, targets in links:
        through = _through(field)
        near, far = f"{field.m2m_field_name()}_id", f"{field.m2m_reverse_field_name()}_id"
        rows = [through(**{near: pk, far: target}) for target in targets]
        through._base_manager.using(alias).bulk_create(rows)


def _as_stored(value: Any) -> Any:
    """Return a value of a fixture as this project's databases accept it: without a time zone where `USE_TZ` is off."""
    if isinstance(value, datetime) and timezone.is_aware(value) and not settings.USE_TZ:
        return timezone.make_naive(value)
    return value


def _through(field: Any) -> type[Model]:
    through: type[Model] = field.remote_field.through
    return through


def keep_copies(alias: str, models: list[type[Model]]) -> None:
    """Copy each model's table into a table `seed_of_<table>` of the same database."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        for table, copy, _ in _tables(connection, models):
            cursor.execute(f"DROP TABLE IF EXISTS {copy}")
            cursor.execute(f"CREATE TABLE {copy} AS SELECT * FROM {table}")


def restore_copies(alias: str, models: list[type[Model]]) -> None:
    """Replace the rows of each model's table by its copy, and reset the sequences."""
    connection = connections[alias]
    with transaction.atomic(using=alias), connection.constraint_checks_disabled(), connection.cursor() as cursor:
        for table, copy, columns in _tables(connection, models):
            cursor.execute(f"DELETE FROM {table}")
            cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {copy}")
        _reset_sequences(connection, models)


def _tables(connection: BaseDatabaseWrapper, models: list[type[Model]]) -> Iterator[tuple[str, str, str]]:
    """Yield `(table, its copy, its columns)`, quoted. Generated columns are left out: the database computes them."""
    quote = connection.ops.quote_name
    for model in models:
        table = model._meta.db_table
        fields = [field for field in model._meta.local_concrete_fields if not getattr(field, "generated", False)]
        columns = ", ".join(quote(str(field.column)) for field in fields)
        # Without the quotes of a name that has its schema before it.
        copy = f"seed_of_{table}".replace('"', "")
        yield quote(table), quote(truncate_name(copy, connection.ops.max_name_length())), columns


def _reset_sequences(connection: BaseDatabaseWrapper, models: list[type[Model]]) -> None:
    # PostgreSQL's sequences ignore keys that a fixture sets, so the next insert would collide with one.
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)


def install() -> None:
    """Copy the seeded rows of test databases after `migrate`, and restore them after `flush`."""
    post_migrate.connect(_copy_or_restore, dispatch_uid="databases.foreign.seeding")


def _copy_or_restore(sender: AppConfig, using: str, **kwargs: Any) -> None:
    """Copy the rows after a migration; restore them after a flush, and in a kept database."""
    if not is_foreign(using) or not is_test_database(using):
        return
    role = role_of_alias(using)
    labels = [each.label for each in apps.get_app_configs() if each.models_module and role in roles_of(each.label)]
    # Django sends this signal for each app with models. The first app of the role handles all of its tables.
    if sender.label == labels[0]:
        models = _models_with_tables(connections[using], role)
        (keep_copies if kwargs.get("plan") else restore_copies)(using, models)


def _models_with_tables(connection: BaseDatabaseWrapper, role: str) -> list[type[Model]]:
    """Return the models of a role that have a table of their own: a proxy has none, an unmanaged model may have one."""
    existing = set(connection.introspection.table_names())
    return [
        model
        for model in models_of(role)
        if not model._meta.proxy and (model._meta.managed or model._meta.db_table in existing)
    ]
