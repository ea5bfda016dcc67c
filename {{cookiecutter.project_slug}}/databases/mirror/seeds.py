"""Reads a small consistent sample of the mirror: the first rows of some models, and the rows that these refer to.

Every query is bounded by the limit, so that it does not depend on the size of the tables.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import DataError, OperationalError, connections, transaction
from django.db.models import CompositePrimaryKey, ForeignKey, Model, QuerySet

from databases.mirror.disguise import Disguise, UnfitError, columns
from databases.mirror.router import MIRROR

#: The errors of a driver that cannot read a value, such as a date after 9999. SQLite's for text is the second one.
UNREADABLE = (DataError, OperationalError, ValueError, ArithmeticError)

Row = dict[str, Any]


@contextmanager
def snapshot() -> Iterator[None]:
    """Read the mirror as it was at the first read, whatever the other application commits in the meantime."""
    # Durable: the isolation level can only be set before the first query of a transaction.
    with transaction.atomic(using=MIRROR, durable=True):
        # On SQLite each transaction is a snapshot.
        if connections[MIRROR].vendor != "sqlite":
            with connections[MIRROR].cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


class Sample:
    """The rows of a seed: at most `limit` new ones of each model, beside the records that its file already has.

    `rows` has the new ones as a fixture has them, by model and by primary key in the mirror. `left_out` has the reasons
    why others are not in it, also by model and key. No reason quotes a value.

    Raises `LookupError` or `TypeError` for existing records that no fixture has.
    """

    def __init__(self, limit: int, disguise: Disguise, excluded: set[type[Model]], existing: list[Row]) -> None:
        self.limit, self.disguise, self.excluded = limit, disguise, excluded
        self.rows: dict[type[Model], dict[Any, Row]] = defaultdict(dict)
        self.left_out: dict[type[Model], dict[Any, str]] = defaultdict(dict)
        self._unique: dict[type[Model], set[Any]] = defaultdict(set)
        for record in existing:
            model = apps.get_model(record["model"])
            self._unique[model] |= unique_values(model, {**record["fields"], model._meta.pk.name: record["pk"]})

    def take(self, models: Iterable[type[Model]]) -> None:
        """Add the first rows of models, and the rows that they refer to while there is room."""
        # Models that lead to more others come first, so that the rows which theirs refer to still fit the limit.
        for root in sorted(models, key=lambda model: (-len(reachable(model)), model._meta.label)):
            fresh = {root: self._add(root)}
            while any(fresh.values()):
                wanted: dict[Any, set[Any]] = defaultdict(set)
                for model, rows in fresh.items():
                    for field, column in relations(model):
                        wanted[field] |= {row[column] for row in rows} - {None}
                fresh = defaultdict(list)
                for field, values in wanted.items():
                    some = sorted(values, key=order)[: self.limit]
                    fresh[field.model] += self._add(field.model, **{f"{field.name}__in": some})

    def records(self) -> list[Row]:
        """Return the new rows as records of a fixture, also the rows of automatic many-to-many tables.

        A foreign key to a row that is not there becomes NULL where it may. Where it may not, its row is left out.
        """
        while any(self._cut(model, key) for model in [*self.rows] for key in foreign_keys(model)):
            pass
        found = [
            {"model": model._meta.label_lower, "pk": row.pop(model._meta.pk.name), "fields": row}
            for model, rows in self.rows.items()
            for row in rows.values()
        ]
        return sorted(found, key=lambda record: (record["model"], order(record["pk"])))

    def _add(self, model: type[Model], **filters: Any) -> list[Row]:
        """Add the first rows that match and are not in the sample yet. Return them as the mirror has them."""
        there, fresh = self.rows[model], []
        # The limit counts what people see: each row may have as many links.
        limit = self.limit**2 if model._meta.auto_created else self.limit
        query: QuerySet[Any] = QuerySet(model).using(MIRROR).filter(**filters).order_by("pk")[:limit]
        for row in [] if model in self.excluded else self._read(query):
            if row["pk"] in there or len(there) == limit:
                continue
            try:
                there[row["pk"]] = self._made_up(model, row)
                fresh.append(row)
            except UnfitError as error:
                self.left_out[model][row["pk"]] = str(error)
        return fresh

    def _read(self, query: QuerySet[Any], key: Any = None) -> list[Row]:
        model: Any = query.model
        try:
            # A savepoint, because on PostgreSQL an error ends a transaction.
            with transaction.atomic(using=MIRROR):
                # Not instances: a child would be read with the columns of its parents.
                return list(query.values("pk", *(field.attname for field in columns(model))))
        except UNREADABLE as error:
            if key is not None:
                self.left_out[model][key] = f"{type(error).__name__} while reading"
                return []
        # One row at a time, to leave out only what the driver cannot read.
        one: QuerySet[Any] = QuerySet(model).using(MIRROR)
        return [row for pk in query.values_list("pk", flat=True) for row in self._read(one.filter(pk=pk), pk)]

    def _made_up(self, model: type[Model], values: Row) -> Row:
        row = {field.name: self.disguise.value(field, values[field.attname]) for field in columns(model)}
        if isinstance(model._meta.pk, CompositePrimaryKey):
            row["pk"] = [row[name] for name in model._meta.pk.field_names]
        new = unique_values(model, row)
        if new & self._unique[model]:
            raise UnfitError("its key or another unique value is already there")
        self._unique[model] |= new
        return row

    def _cut(self, model: type[Model], key: Any) -> bool:
        """Make foreign keys to missing rows NULL, or leave their rows out. Return whether there were any."""
        rows, target, there = self.rows[model], key.target_field, self._unique[key.target_field.model]
        values = {pk: row[key.name] for pk, row in rows.items() if row[key.name] is not None}
        lost = [pk for pk, value in values.items() if ((target.name,), str([value])) not in there]
        for pk in lost:
            if key.null:
                rows[pk][key.name] = None
            else:
                self._unique[model] -= unique_values(model, rows.pop(pk))
                self.left_out[model][pk] = "a row that it refers to is not there"
        return bool(lost)


def foreign_keys(model: type[Model]) -> list[Any]:
    """Return the foreign keys and one-to-one fields whose column is in the model's own table."""
    return [field for field in columns(model) if isinstance(field, ForeignKey)]


def relations(model: type[Model]) -> list[tuple[Any, str]]:
    """Return the fields that a model's rows lead to, each with the column that has their values.

    These are the targets of its foreign keys, and the foreign keys to it in the tables of its many-to-many fields.
    """
    many: list[Any] = [*model._meta.local_many_to_many]
    links = [field.remote_field.through._meta.get_field(field.m2m_field_name()) for field in many]
    pairs = [(key.target_field, key.attname) for key in foreign_keys(model)]
    return pairs + [(link, link.target_field.attname) for link in links]


def reachable(model: type[Model]) -> set[type[Model]]:
    """Return a model, and the models that its rows lead to, directly or through other models."""
    found = {model}
    while new := {field.model for each in found for field, _ in relations(each)} - found:
        found |= new
    return found


def unique_values(model: type[Model], row: Row) -> set[tuple[Any, str]]:
    """Return the values of a row that no other row of its model may have, with the names of their fields."""
    meta = model._meta
    names: list[tuple[str, ...]] = [(meta.pk.name,), *((field.name,) for field in columns(model) if field.unique)]
    names += [tuple(each) for each in (*meta.unique_together, *(one.fields for one in meta.total_unique_constraints))]
    return {(each, str([row[name] for name in each])) for each in names if None not in map(row.get, each)}


def order(value: Any) -> tuple[int, str]:
    """Return what values of any type are sorted by: whole numbers as such, texts by their length first."""
    return len(str(value)), str(value)
