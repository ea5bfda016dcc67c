"""Reads a small consistent subset of the mirror: the first rows of some models, and all rows that these refer to.

Every query is bounded by the limit or by a list of keys, so that it does not depend on the size of the tables. This
module neither writes nor redacts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import FieldError, ValidationError
from django.core.management.base import CommandError
from django.db import connections, transaction
from django.db.models import ManyToManyField, Model, QuerySet

from databases.mirror.relations import automatic_links, concrete_target, foreign_keys, through_model
from databases.mirror.router import MIRROR

#: Keys per query. Databases allow a few thousand parameters.
CHUNK = 500

Rows = dict[type[Model], dict[Any, Model]]


@contextmanager
def snapshot() -> Iterator[None]:
    """Read the mirror as it was at the first read, whatever the other application commits in the meantime."""
    connection = connections[MIRROR]
    # Durable: the isolation level can only be set before the first query of a transaction.
    with transaction.atomic(using=MIRROR, durable=True):
        # On SQLite each transaction is a snapshot.
        if connection.vendor in ("postgresql", "mysql"):
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


class Subset:
    """Rows by model and primary key, the many-to-many links between them, and the number of rows left out.

    It has at most `limit` rows of each model. It has a row only together with every row that the row refers to.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.rows: Rows = defaultdict(dict)
        self.links: dict[ManyToManyField[Any, Any], list[tuple[Any, Any]]] = {}
        self.left_out: Counter[type[Model]] = Counter()
        self._known: dict[tuple[type[Model], str], dict[Any, Model]] = defaultdict(dict)

    def take(self, model: type[Model], filters: dict[str, Any]) -> None:
        """Add the first rows of a model. Raises `CommandError`, without values, for an invalid filter."""
        rows = list(_matching(model, filters).order_by("pk")[: self.limit])
        self._read_ahead(rows)
        for row in rows:
            if row.pk not in self.rows[model] and not self._add(row):
                self.left_out[model] += 1

    def link(self) -> None:
        """Add rows that are linked to the rows, up to the limit, and record the links between all rows."""
        while any(self._follow(field) for field in self._many_to_many()):
            pass
        for field in self._many_to_many():
            through, near, far = _through(field)
            ends = [
                {f"{near}__in": near_keys, f"{far}__in": far_keys}
                for near_keys in _chunks(self.rows[field.model])
                for far_keys in _chunks(self.rows[concrete_target(field)])
            ]
            self.links[field] = [pair for each in ends for pair in through.filter(**each).values_list(near, far)]

    def _add(self, row: Model) -> bool:
        needed = self._needed(row)
        for model, rows in needed.items():
            self.rows[model] |= rows
        return bool(needed)

    def _needed(self, row: Model) -> Rows:
        """Return a row and the rows it refers to that are not in the subset yet.

        The result is empty if they exceed the limit, or if one does not exist.
        """
        needed: Rows = defaultdict(dict, {type(row): {row.pk: row}})
        fresh = [row]
        while fresh:
            # In each step: a long chain of parents must not be read completely.
            if any(len(self.rows[model]) + len(rows) > self.limit for model, rows in needed.items()):
                return {}
            found: list[Model] = []
            for (model, name), keys in _keys(fresh).items():
                parents = self._read(model, name, keys)
                if len(parents) < len(keys):
                    return {}
                found += parents
            fresh = []
            for parent in found:
                if parent.pk not in self.rows[type(parent)] and parent.pk not in needed[type(parent)]:
                    needed[type(parent)][parent.pk] = parent
                    fresh.append(parent)
        return needed

    def _read(self, model: type[Model], name: str, keys: Iterable[Any]) -> list[Model]:
        """Return the rows of a model whose column `name` has one of the keys, and cache them."""
        known = self._known[model, name]
        for chunk in _chunks(key for key in keys if key not in known):
            known.update({getattr(row, name): row for row in _rows(model).filter(**{f"{name}__in": chunk})})
        return [known[key] for key in keys if key in known]

    def _read_ahead(self, rows: list[Model]) -> None:
        """Cache the rows that many rows refer to, up to the limit: read row by row, each would cost a query."""
        while rows:
            ahead: list[Model] = []
            for (model, name), keys in _keys(rows).items():
                known = self._known[model, name]
                unknown = [key for key in keys if key not in known]
                ahead += self._read(model, name, unknown[: max(0, self.limit - len(known))])
            rows = ahead

    def _many_to_many(self) -> list[Any]:
        return [field for model, rows in list(self.rows.items()) if rows for field in automatic_links(model)]

    def _follow(self, field: Any) -> bool:
        """Add rows that a many-to-many field links to. Return whether any were added."""
        through, near, far = _through(field)
        model = concrete_target(field)
        before = len(self.rows[model])
        for chunk in _chunks(list(self.rows[field.model])):
            if len(self.rows[model]) == self.limit:
                break
            # Twice the limit: up to `limit` of these rows may be in the subset already.
            keys = through.filter(**{f"{near}__in": chunk}).order_by(far).values_list(far, flat=True).distinct()
            for row in self._read(model, model._meta.pk.attname, list(keys[: 2 * self.limit])):
                if row.pk not in self.rows[model]:
                    self._add(row)
        return len(self.rows[model]) > before


def _rows(model: type[Model]) -> QuerySet[Any]:
    return model._base_manager.using(MIRROR)


def _matching(model: type[Model], filters: dict[str, Any]) -> QuerySet[Any]:
    try:
        # A subquery, because a filter across a multi-valued relation would return a row several times.
        return _rows(model).filter(pk__in=_rows(model).filter(**filters).values("pk")) if filters else _rows(model)
    except FieldError as error:
        raise CommandError(f"--filter does not fit {model._meta.label}: {error}") from error
    except (ValueError, TypeError, ValidationError):
        # `from None`: the original error quotes the value.
        raise CommandError(f"--filter does not fit {model._meta.label}: a value is not one of its field's.") from None


def _keys(rows: Iterable[Model]) -> dict[tuple[type[Model], str], list[Any]]:
    """Return the foreign keys of rows, by target model and column: each key once, in the order of the rows."""
    found: dict[tuple[type[Model], str], dict[Any, None]] = defaultdict(dict)
    for row in rows:
        for field in foreign_keys(type(row)):
            if (key := getattr(row, field.attname)) is not None:
                found[concrete_target(field), field.target_field.attname][key] = None
    return {where: list(keys) for where, keys in found.items()}


def _through(field: Any) -> tuple[QuerySet[Any], str, str]:
    """Return the links of a many-to-many field by primary key, and the names of their two columns."""
    through = through_model(field)
    near, far = field.m2m_field_name(), field.m2m_reverse_field_name()
    names: list[Any] = [through._meta.get_field(name) for name in (near, far)]
    return _rows(through).order_by("pk"), names[0].attname, names[1].attname


def _chunks(keys: Iterable[Any]) -> Iterator[list[Any]]:
    listed = list(keys)
    for start in range(0, len(listed), CHUNK):
        yield listed[start : start + CHUNK]
