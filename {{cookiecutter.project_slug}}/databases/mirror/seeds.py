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

    `rows` has the new ones as a fixture has them, by model and by their primary keys in the mirror. `left_out` has the
    reasons why others are not in it, also by model and key. No reason quotes a value.

    Raises `LookupError` or `TypeError` for existing records that are none of a fixture.
    """

    def __init__(
        self, limit: int, disguise: Disguise, excluded: Iterable[type[Model]] = (), existing: Iterable[Row] = ()
    ) -> None:
        self.limit, self.disguise, self.excluded = limit, disguise, {*excluded}
        self.rows: dict[type[Model], dict[Any, Row]] = defaultdict(dict)
        self.left_out: dict[type[Model], dict[Any, str]] = defaultdict(dict)
        self._existing: dict[type[Model], list[Row]] = defaultdict(list)
        self._unique: dict[type[Model], set[Any]] = defaultdict(set)
        for record in existing:
            model, row = apps.get_model(record["model"]), {**record["fields"], "pk": record["pk"]}
            self._existing[model].append(row)
            self._unique[model] |= unique_values(model, row)

    def take(self, query: QuerySet[Any]) -> None:
        """Add the first rows of a query, and the rows that they refer to while there is room."""
        fresh = {query.model: self._add(query)}
        while any(fresh.values()):
            wanted: dict[Any, set[Any]] = defaultdict(set)
            for model, rows in fresh.items():
                for key in foreign_keys(model):
                    wanted[key.target_field] |= {row[key.attname] for row in rows} - {None}
                for link in links(model):
                    wanted[link] |= {row[link.target_field.attname] for row in rows}
            fresh = defaultdict(list)
            for field, values in wanted.items():
                some = sorted(values, key=order)[: self.limit]
                fresh[field.model] += self._add(QuerySet(field.model).filter(**{f"{field.name}__in": some}))

    def _add(self, query: QuerySet[Any]) -> list[Row]:
        """Add the first rows of a query that are not in the sample yet, and return them as the mirror has them."""
        model, there, fresh = query.model, self.rows[query.model], []
        # Links are no rows of their own to whoever sets the limit.
        limit = self.limit**2 if model._meta.auto_created else self.limit
        if model in self.excluded:
            return []
        for row in self._read(query.using(MIRROR).order_by("pk")[:limit]):
            if row["pk"] in there or len(there) == limit:
                continue
            try:
                there[row["pk"]] = self._made_up(model, row)
                fresh.append(row)
            except UnfitError as error:
                self.left_out[model][row["pk"]] = str(error)
        return fresh

    def _read(self, query: QuerySet[Any], key: Any = None) -> list[Row]:
        """Return the values of a query's rows, except for rows that the driver cannot read: it reads these alone."""
        model: Any = query.model
        try:
            # A savepoint, because on PostgreSQL an error ends a transaction.
            with transaction.atomic(using=MIRROR):
                # Not instances: those of a child would be read with the columns of its parents.
                return list(query.values("pk", *(field.attname for field in columns(model))))
        except UNREADABLE as error:
            if key is not None:
                self.left_out[model][key] = f"{type(error).__name__} while reading"
                return []
        one: QuerySet[Any] = QuerySet(model).using(MIRROR)
        return [row for pk in query.values_list("pk", flat=True) for row in self._read(one.filter(pk=pk), pk)]

    def _made_up(self, model: type[Model], values: Row) -> Row:
        """Return a row as a fixture has it, with the primary key as `pk`. Raises `UnfitError`."""
        row = {_slot(field): self.disguise.value(field, values[field.attname]) for field in columns(model)}
        if isinstance(model._meta.pk, CompositePrimaryKey):
            row["pk"] = [row[name] for name in model._meta.pk.field_names]
        new = unique_values(model, row)
        if new & self._unique[model]:
            raise UnfitError("its key or another unique value is already there")
        self._unique[model] |= new
        return row

    def records(self) -> list[Row]:
        """Return the new rows as records of a fixture, those of automatic many-to-many tables too.

        A foreign key to a row that is not there becomes NULL where it may. Where it may not, its row is left out.
        """
        while any(self._cut(model, key) for model in [*self.rows] for key in foreign_keys(model)):
            pass
        return [
            {"model": model._meta.label_lower, "pk": row.pop("pk"), "fields": row}
            for model in sorted(self.rows, key=lambda each: each._meta.label)
            for row in sorted(self.rows[model].values(), key=lambda each: order(each["pk"]))
        ]

    def _cut(self, model: type[Model], key: Any) -> bool:
        """Make a foreign key to a missing row NULL, or leave its row out. Return whether there was one."""
        rows, target, slot = self.rows[model], key.target_field, _slot(key)
        there = [*self.rows[target.model].values(), *self._existing[target.model]]
        values = {None, *(row.get(_slot(target)) for row in there)}
        lost = [pk for pk, row in rows.items() if row[slot] not in values]
        for pk in lost:
            if key.null:
                rows[pk][slot] = None
            else:
                del rows[pk]
                self.left_out[model][pk] = "a row that it refers to is not there"
        return bool(lost)


def foreign_keys(model: type[Model]) -> list[Any]:
    """Return the foreign keys and one-to-one fields whose column is in the model's own table."""
    return [field for field in columns(model) if isinstance(field, ForeignKey)]


def links(model: type[Model]) -> list[Any]:
    """Return the foreign keys to a model from the tables of its many-to-many fields."""
    fields: list[Any] = [*model._meta.local_many_to_many]
    return [field.remote_field.through._meta.get_field(field.m2m_field_name()) for field in fields]


def targets(model: type[Model]) -> set[Any]:
    """Return a model, and the models that its rows refer to, directly or through other models."""
    found: set[Any] = {model}
    while True:
        new = {key.target_field.model for each in found for key in foreign_keys(each)}
        new |= {link.model for each in found for link in links(each)}
        if new <= found:
            return found
        found |= new


def order(value: Any) -> tuple[int, str]:
    """Return what values of any type are sorted by: whole numbers as such, texts by their length first."""
    return len(str(value)), str(value)


def _slot(field: Any) -> str:
    return "pk" if field.primary_key else str(field.name)


def unique_values(model: type[Model], row: Row) -> set[tuple[Any, str]]:
    """Return the values of a row that no other row of its model may have, with the names of their fields."""
    meta = model._meta
    names: list[tuple[str, ...]] = [("pk",), *((_slot(field),) for field in columns(model) if field.unique)]
    names += [tuple(each) for each in (*meta.unique_together, *(one.fields for one in meta.total_unique_constraints))]
    found = {each: [row.get(name) for name in each] for each in names}
    return {(each, str(values)) for each, values in found.items() if None not in values}
