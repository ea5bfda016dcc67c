"""Reads a small consistent sample of the mirror: the first rows of some models, and the rows that these refer to.

Every query is bounded by the limit or by a list of keys, so that it does not depend on the size of the tables.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DataError, OperationalError, connections, transaction
from django.db.models import CompositePrimaryKey, ForeignKey, Model, QuerySet

from databases.mirror.disguise import Disguise, UnfitError, columns
from databases.mirror.router import MIRROR

#: Values per query. Databases allow a few thousand parameters.
CHUNK = 500
#: The errors of a driver that cannot read a value, such as a date after 9999. SQLite's for text is the second one.
UNREADABLE = (DataError, OperationalError, ValueError, ArithmeticError)

Rows = dict[type[Model], dict[Any, dict[str, Any]]]


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
    """Rows by model and primary key: at most `limit` of each model, and none of the excluded models.

    `left_out` has the reasons why rows are not in it, by model and key. No reason quotes a value.
    """

    def __init__(self, limit: int, excluded: Iterable[type[Model]] = ()) -> None:
        self.limit, self.excluded = limit, {*excluded}
        self.rows: Rows = defaultdict(dict)
        self.left_out: dict[type[Model], dict[Any, str]] = defaultdict(dict)

    def take(self, query: QuerySet[Any]) -> None:
        """Add the first rows of a query, and the rows that they refer to while there is room."""
        fresh = {query.model: self._add(query)}
        while any(fresh.values()):
            wanted: dict[Any, set[Any]] = defaultdict(set)
            found: dict[type[Model], list[dict[str, Any]]] = defaultdict(list)
            for model, rows in fresh.items():
                for key in foreign_keys(model):
                    wanted[key.target_field] |= {row[key.attname] for row in rows} - {None}
                for field in links(model):
                    near = field.remote_field.through._meta.get_field(field.m2m_field_name())
                    found[near.model] += self._add_those(near, {row[near.target_field.attname] for row in rows})
            for target, values in wanted.items():
                there = {row[target.attname] for row in self.rows[target.model].values()}
                found[target.model] += self._add_those(target, values - there)
            fresh = found

    def _add_those(self, field: Any, values: set[Any]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        query: QuerySet[Any] = QuerySet(field.model)
        ordered = sorted(values, key=order)
        for start in range(0, len(ordered), CHUNK):
            rows += self._add(query.filter(**{f"{field.name}__in": ordered[start : start + CHUNK]}))
        return rows

    def _add(self, query: QuerySet[Any]) -> list[dict[str, Any]]:
        """Add the first rows of a query that are not in the sample yet, and return them."""
        model, there = query.model, self.rows[query.model]
        # Links are no rows of their own to whoever sets the limit.
        limit = self.limit**2 if model._meta.auto_created else self.limit
        rows = [] if model in self.excluded else self._read(query, limit)
        found = {primary_key(row, model): row for row in rows}
        new = dict([item for item in found.items() if item[0] not in there][: limit - len(there)])
        there |= new
        return [*new.values()]

    def _read(self, query: QuerySet[Any], limit: int) -> list[dict[str, Any]]:
        # Values, because instances of a child would be read with the columns of its parents.
        query = query.using(MIRROR).order_by("pk")
        rows = query.values(*(field.attname for field in columns(query.model)))
        try:
            # A savepoint, because on PostgreSQL an error ends a transaction.
            with transaction.atomic(using=MIRROR):
                return list(rows[:limit])
        except UNREADABLE:
            pass
        found: list[dict[str, Any]] = []
        for key in query.values_list("pk", flat=True)[:limit]:
            try:
                with transaction.atomic(using=MIRROR):
                    found += rows.filter(pk=key)
            except UNREADABLE as error:
                self.left_out[query.model][key] = f"{type(error).__name__} while reading"
        return found


def primary_key(row: dict[str, Any], model: type[Model]) -> Any:
    """Return the primary key of a row: a tuple if it is a composite one."""
    pk: Any = model._meta.pk
    composite = isinstance(pk, CompositePrimaryKey)
    return tuple(row[each.attname] for each in pk.fields) if composite else row[pk.attname]


def foreign_keys(model: type[Model]) -> list[Any]:
    """Return the foreign keys and one-to-one fields whose column is in the model's own table."""
    return [field for field in columns(model) if isinstance(field, ForeignKey)]


def links(model: type[Model]) -> list[Any]:
    """Return the many-to-many fields with an automatic table. Rows of other tables are captured like any others."""
    fields: list[Any] = [*model._meta.local_many_to_many]
    return [field for field in fields if field.remote_field.through._meta.auto_created]


def targets(model: type[Model]) -> set[type[Model]]:
    """Return the models that rows of a model refer to, directly or through other models."""
    found: set[Any] = set()
    new: set[Any] = {model}
    while new:
        fields: list[Any] = [field for each in new for field in (*foreign_keys(each), *links(each))]
        new = {field.related_model._meta.concrete_model for field in fields} - found
        found |= new
    return found


def order(value: Any) -> tuple[int, str]:
    """Return what values of any type are sorted by: whole numbers as such, texts by their length first."""
    return len(str(value)), str(value)


def as_fixture(sample: Sample, disguise: Disguise, existing: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the records of a fixture: the existing ones, and those of the sample that are not among them.

    Rows that a test database could not hold leave the sample, with a reason. A foreign key to a row that is in neither
    becomes NULL where it may. Where it may not, its row leaves the sample too.
    """
    there: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in existing:
        there[record["model"].lower()].append({**record["fields"], "pk": record["pk"]})
    made = {model: _made_up(model, sample, disguise, there[model._meta.label_lower]) for model in sample.rows}
    while any(_prune(key, made, there, sample.left_out) for model in made for key in foreign_keys(model)):
        pass
    sample.rows = made
    for model, rows in made.items():
        for field in links(model):
            for values in rows.values():
                values[field.name] = []
            by_pk = {values["pk"]: values[field.name] for values in rows.values()}
            near, far = field.m2m_field_name(), field.m2m_reverse_field_name()
            for link in made.get(field.remote_field.through, {}).values():
                # The near end may be an existing row, which stays as it is.
                by_pk.get(link[near], []).append(link[far])
    return existing + [
        {"model": model._meta.label_lower, "pk": values.pop("pk"), "fields": values}
        for model in sorted(made, key=lambda each: each._meta.label)
        if not model._meta.auto_created
        for values in sorted(made[model].values(), key=lambda each: order(each["pk"]))
    ]


def _made_up(
    model: type[Model], sample: Sample, disguise: Disguise, there: list[dict[str, Any]]
) -> dict[Any, dict[str, Any]]:
    """Return the new rows of a model as a fixture has them, with the primary key as `pk`."""
    pk: Any = model._meta.pk
    made: dict[Any, dict[str, Any]] = {}
    known = {json.dumps(values["pk"]) for values in there}
    taken = {each for values in there for each in _unique_values(model, values)}
    for key, row in sample.rows[model].items():
        try:
            values = {_slot(field): disguise.value(field, row[field.attname], key) for field in columns(model)}
        except UnfitError as error:
            sample.left_out[model][key] = str(error)
            continue
        if isinstance(pk, CompositePrimaryKey):
            values["pk"] = [values[name] for name in pk.field_names]
        if json.dumps(values["pk"]) in known:
            continue
        unique = _unique_values(model, values)
        if unique & taken:
            sample.left_out[model][key] = "a unique value that another row has"
            continue
        taken |= unique
        made[key] = values
    return made


def _prune(key: Any, made: Rows, there: dict[str, list[dict[str, Any]]], left_out: dict[type[Model], Any]) -> bool:
    """Cut a foreign key, or drop its row, where its target is missing. Return whether there was any."""
    target, slot = key.target_field, _slot(key)
    rows = [*made.get(target.model, {}).values(), *there[target.model._meta.label_lower]]
    values = {None, *(row.get(_slot(target)) for row in rows)}
    lost = [pk for pk, row in made[key.model].items() if row[slot] not in values]
    for pk in lost:
        if key.null:
            made[key.model][pk][slot] = None
        else:
            del made[key.model][pk]
            left_out[key.model][pk] = "a row that it refers to is not there"
    return bool(lost)


def _slot(field: Any) -> str:
    return "pk" if field.primary_key else str(field.name)


def _unique_values(model: type[Model], values: dict[str, Any]) -> set[tuple[Any, str]]:
    meta = model._meta
    names: list[tuple[str, ...]] = [(_slot(field),) for field in columns(model) if field.unique]
    names += [tuple(each) for each in (*meta.unique_together, *(one.fields for one in meta.total_unique_constraints))]
    found = {each: [values.get(name) for name in each] for each in names}
    return {(each, json.dumps(value)) for each, value in found.items() if None not in value}
