"""Writes tables as the text of abstract classes: with the names that Django allows, and the relations between them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import Model

from databases.foreign.columns import Column
from databases.foreign.naming import OUR_FIELDS, bare, normalized, reserved
from databases.foreign.upstream import Table


@dataclass
class Copy:
    """A table's place: its app and class, the chosen key, the text of the class as it is, or your own model of it."""

    app: str
    name: str
    key: str = ""
    text: str = ""
    yours: type[Model] | None = None


class Link(NamedTuple):
    """A many-to-many field: its name, the table that it leads to, the table between, and the two columns there."""

    name: str
    target: str
    through: str
    columns: list[str]


class Generator:
    """Writes the classes of tables.

    Arguments: their base class; the place of each table; the tables that could be read; and the labels of models that
    exist already, by table: your classes may have other names than the abstract ones.
    """

    def __init__(
        self, base: type, copies: Mapping[str, Copy], tables: Mapping[str, Table], labels: Mapping[str, str]
    ) -> None:
        self.base, self.reserved, self.copies, self.tables = base, reserved(base), copies, tables
        self.labels = {name: labels.get(name, f"{copy.app}.{copy.name}") for name, copy in copies.items()}
        self.fields = {name: self._field_names(table) for name, table in tables.items()}
        self.links: dict[str, list[Link]] = defaultdict(list)
        for table in tables.values():
            self._add_link(table)
        #: How many relations would call their way back alike, by the table that they lead to and that name.
        self.ways_back: Counter[tuple[str, str]] = Counter()
        for table in tables.values():
            for column in filter(table.columns.get, table.relations):
                if self._leads(table, column):
                    self.ways_back[table.relations[column][0], self._way_back(table.name, table.is_unique(column))] += 1
            for link in self.links[table.name]:
                self.ways_back[link.target, self._way_back(table.name)] += 1

    def text(self, table: Table) -> str:
        """Return the abstract class of a table."""
        copy, names = self.copies[table.name], self.fields[table.name]
        lines = [f"class {copy.name}({self.base.__name__}):"]
        lines += [f"    chosen_key = {_literal(copy.key)}"] if copy.key else []
        if len(table.primary_key) > 1:
            keys = ", ".join(_literal(names[each]) for each in table.primary_key)
            lines.append(f"    pk = models.CompositePrimaryKey({keys})")
        lines += [f"    {self._field(table, column)}" for column in table.columns.values()]
        lines += [f"    {self._many_to_many(table, link)}" for link in self.links[table.name]]
        lines += ["", "    class Meta:", "        abstract = True"]
        several = [each for each in sorted(table.unique) if len(each) > 1 and {*each} <= {*names}]
        if several:
            lines.append(
                f"        unique_together = {_literal([[names[each] for each in columns] for columns in several])}"
            )
        # Last: the importer finds the class by this line.
        return "\n".join([*lines, f"        db_table = {_literal(table.name)}"])

    def _leads(self, table: Table, column: str) -> bool:
        """Return whether a column can be a foreign key here: to a copy, and to a column that is unique there."""
        other, key = table.relations.get(column, ("", ""))
        there = self.tables.get(other)
        if bare(other) == bare(table.name) and other != table.name:
            # Two schemas have this name: PostgreSQL calls it ambiguous in a query that joins both.
            return False
        return bool(there and len(there.primary_key) == 1 and there.is_unique(key) and there.columns[key].field)

    def _field_names(self, table: Table) -> dict[str, str]:
        """Return the name of each column's field, without the columns that cannot have one."""
        if yours := self.copies[table.name].yours:
            return {str(field.column): field.name for field in yours._meta.local_concrete_fields}
        names: dict[str, str] = {}
        used = [*self.reserved]
        for column in table.columns.values():
            leads = self._leads(table, column.name)
            name = normalized(column.name, used, leads)
            # `x৴` is a word of letters to `inspectdb`, and no name to Python.
            if column.field and column.is_usable and name.isidentifier():
                if leads and f"{name}_id" in used:
                    name = normalized(f"{name}_relation", used, leads)
                names[column.name] = name
                used += [name, f"{name}_id"] if leads else [name]
        return names

    def _add_link(self, table: Table) -> None:
        """Note a many-to-many field if a table does nothing but link two, and is named as Django names such tables."""
        ends = [column for column in table.columns if self._leads(table, column)]
        if len(ends) != 2 or not table.is_unique(*ends) or {*table.columns} - {*ends, *table.primary_key}:
            return
        for near, far in (ends, ends[::-1]):
            owner, target = table.relations[near][0], table.relations[far][0]
            rest = table.name.removeprefix(owner)
            if rest.startswith("_") and not self.copies[owner].yours and {near, far} <= {*self.fields[table.name]}:
                used = [*self.reserved, *self.fields[owner].values(), *(link.name for link in self.links[owner])]
                self.links[owner].append(Link(normalized(rest[1:], used, False), target, table.name, [near, far]))
                return

    def _way_back(self, table: str, unique: bool = False) -> str:
        """Return what Django calls the way back of a relation."""
        return self.copies[table].name.lower() + ("" if unique else "_set")

    def _related_name(self, table: str, other: str, name: str, unique: bool = False) -> dict[str, Any]:
        """Return an argument if Django's own name for the way back is taken."""
        copy, back = self.copies[table], self._way_back(table, unique)
        taken = {*self.fields[other].values(), *(link.name for link in self.links[other])}
        if self.ways_back[other, back] > 1 or {back, copy.name.lower()} & taken:
            return {"related_name": f"{copy.app}_{copy.name.lower()}_{name}"}
        return {}

    def _field(self, table: Table, column: Column) -> str:
        """Return the field for a column, or a comment."""
        name = self.fields[table.name].get(column.name)
        if not name:
            return _comment(f"{_literal(column.name)} is left out: {why_no_field(column)}")
        unique, primary = table.is_unique(column.name), table.primary_key == (column.name,)
        # Only a primary key may be an AutoField.
        cls = column.field if primary else column.field.replace("AutoField", "IntegerField")
        arguments, words, note = {**column.arguments}, [], ""
        leads = self._leads(table, column.name)
        if leads:
            other, key = table.relations[column.name]
            cls = "OneToOneField" if unique else "ForeignKey"
            words = [_literal("self" if other == table.name else self.labels[other]), "models.DO_NOTHING"]
            arguments = {} if (key,) == self.tables[other].primary_key else {"to_field": self.fields[other][key]}
            arguments |= self._related_name(table.name, other, name, unique)
        elif column.name in table.relations:
            target = ".".join(map(str, table.relations[column.name]))
            note = f"  {_comment(f'a foreign key to {target}, which is not copied')}"
        arguments |= {"primary_key": True} if primary else {"unique": True} if unique and not leads else {}
        arguments |= {"null": True} if (column.null or column.is_zero) and column.name not in table.primary_key else {}
        arguments |= {"db_column": column.name} if column.name != (f"{name}_id" if leads else name) else {}
        cls = cls if cls in OUR_FIELDS else f"models.{cls}"
        return f"{name} = {cls}({', '.join([*words, *_as_words(arguments)])}){note}"

    def _many_to_many(self, table: Table, link: Link) -> str:
        other, through = (_literal("self" if each == table.name else self.labels[each]) for each in link[1:3])
        fields = [self.fields[link.through][each] for each in link.columns]
        arguments = {"through_fields": fields, **self._related_name(table.name, link.target, link.name)}
        arguments |= {"symmetrical": False} if link.target == table.name else {}
        return (
            f"{link.name} = models.ManyToManyField({', '.join([other, f'through={through}', *_as_words(arguments)])})"
        )


def _as_words(arguments: Mapping[str, Any]) -> list[str]:
    return [f"{key}={_literal(value)}" for key, value in arguments.items()]


def _comment(text: str) -> str:
    """Return a comment of one line: what came after a line break in a name would be run."""
    return f"# {''.join(char if char.isprintable() else '?' for char in text)}"


def _literal(value: Any) -> str:
    """Return a text, or lists of texts, with the quotes that formatters of Python prefer."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | list) else repr(value)


def why_no_class(table: Table) -> str:
    """Return why a table has no class, or `""` if it has one."""
    keys = [table.columns.get(each) for each in table.primary_key]
    return (
        ""
        if keys and all(key and key.field and key.is_usable for key in keys)
        else "it has no primary key that Django can use"
    )


def why_no_field(column: Column) -> str:
    """Return why a column has no field."""
    return "Django cannot use such names" if column.field else f"Django has no field for {column.type}"
