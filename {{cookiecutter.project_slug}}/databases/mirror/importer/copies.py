"""Turns tables into models: the names of classes and fields, the relations between copies, and the text of fields."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.core.management.commands import inspectdb
from django.db.models import Model

from databases.mirror.importer.source import KEY_COMMENT, FieldText, literal, model_text
from databases.mirror.introspection import Column, Table
from databases.mirror.models import MirrorModel

#: Decimals whose digits the database does not report: more than the 15 digits that SQLite keeps, on both sides.
DECIMAL_ARGUMENTS = {"max_digits": 45, "decimal_places": 15}


@dataclass
class Copy:
    """An existing or new model: its app, its name, and what relations to it need."""

    app: str
    name: str
    model: type[Model] | None = None
    #: Names of fields, by the columns that may be targets of foreign keys. Empty for a composite primary key, because
    #: Django has no relations to such models.
    keys: dict[str, str] = field(default_factory=dict)
    primary: str = ""
    #: Names that a reverse relation to this model cannot have.
    taken: set[str] = field(default_factory=set)


class Copies:
    """The copies of tables, by table."""

    def __init__(self, models: Iterable[type[Model]]) -> None:
        self.by_table = {model._meta.db_table: _existing(model) for model in models}

    def new(self, table: Table, app: str, cls: str, taken: Iterable[str]) -> Copy:
        """Add the copy of a table, with a new name in its app. `taken` has the lower-case names of the app's models."""
        present = {"mirrormodel", *taken, *(copy.name.lower() for copy in self.by_table.values() if copy.app == app)}
        name, number = cls, 2
        while name.lower() in present:
            name, number = f"{cls}{number}", number + 1
        keys = {*table.primary_key, *table.unique} if len(table.primary_key) == 1 else set()
        copy = Copy(app, name, None, dict.fromkeys(sorted(keys), ""), table.primary_key[0])
        self.by_table[table.name] = copy
        return copy

    def name_fields(self, table: Table) -> dict[str, str]:
        """Return the names of the fields that a copy does not have yet, by column."""
        copy = self.by_table[table.name]
        present = {str(each.column) for each in copy.model._meta.local_concrete_fields} if copy.model else set()
        # Also the names of methods: a field `check` or `save` would replace one.
        used = ["objects", *copy.taken, *dir(copy.model or MirrorModel)]
        names = {}
        for column in table.columns.values():
            if not column.field_type or column.name in present:
                continue
            is_relation = self._target(table, column.name) is not None
            name, *_ = inspectdb.Command().normalize_col_name(column.name, used, is_relation)
            if is_relation and f"{name}_id" in used:
                name += "_relation"
            names[column.name] = name
            used += [name, f"{name}_id"] if is_relation else [name]
            if column.name in copy.keys:
                copy.keys[column.name] = name
        copy.taken.update(used)
        return names

    def field_text(self, table: Table, column: Column, name: str) -> FieldText:
        """Return the field for a column, or only a comment if Django has no field for it."""
        if not column.field_type:
            return FieldText(
                "", comment=f"# {column.name} is not copied: Django has no field for {column.unknown_type}"
            )
        primary, unique = table.primary_key == [column.name], column.name in table.unique
        target = self._target(table, column.name)
        if target:
            text = self._relation(table, column.name, name, target, single=primary or unique)
        else:
            arguments = column.arguments or (DECIMAL_ARGUMENTS if column.field_type == "DecimalField" else {})
            # An AutoField must be the primary key.
            cls = column.field_type if primary else column.field_type.replace("AutoField", "IntegerField")
            text = FieldText(name, cls, [f"{key}={value}" for key, value in arguments.items()])
            if other := table.relations.get(column.name):
                text.comment = f"{KEY_COMMENT}{'.'.join(other)}, which is not copied"
        if primary:
            text.arguments.append("primary_key=True")
        elif unique and text.cls != "OneToOneField":
            text.arguments.append("unique=True")
        if column.null and column.name not in table.primary_key:
            text.arguments.append("null=True")
        if column.name != (f"{name}_id" if target else name):
            text.arguments.append(f"db_column={literal(column.name)}")
        return text

    def class_text(self, table: Table, names: dict[str, str]) -> str:
        """Return the class of a new copy."""
        fields = [self.field_text(table, column, names.get(column.name, "")) for column in table.columns.values()]
        if len(table.primary_key) > 1:
            fields.insert(0, FieldText("pk", "CompositePrimaryKey", [literal(names[key]) for key in table.primary_key]))
        return model_text(self.by_table[table.name].name, table.name, fields)

    def _target(self, table: Table, column: str) -> Copy | None:
        """Return the copy that is the target of a foreign key, or `None` if it cannot be a relation here."""
        other, key = table.relations.get(column, ("", ""))
        copy = self.by_table.get(other)
        return copy if copy and key in copy.keys else None

    def _relation(self, table: Table, column: str, name: str, target: Copy, single: bool) -> FieldText:
        copy = self.by_table[table.name]
        to = "self" if target is copy else f"{target.app}.{target.name}"
        text = FieldText(name, "OneToOneField" if single else "ForeignKey", [literal(to)])
        text.arguments.append("on_delete=models.DO_NOTHING")
        key = table.relations[column][1]
        if key != target.primary:
            text.arguments.append(f"to_field={literal(target.keys[key])}")
        lower = copy.name.lower()
        reverse = {lower, lower if single else f"{lower}_set"}
        if reverse & target.taken:
            reverse = {f"{copy.app}_{lower}_{name}"}
            text.arguments.append(f"related_name={literal(*reverse)}")
        target.taken |= reverse
        return text


def _existing(model: type[Model]) -> Copy:
    meta = model._meta
    keys = {str(each.column): each.name for each in meta.local_concrete_fields if each.unique and each.column}
    taken = {name for each in meta.get_fields() for name in (each.name, getattr(each, "attname", each.name))}
    taken |= {str(each.get_accessor_name()) for each in meta.related_objects}
    composite = len(meta.pk_fields) > 1
    return Copy(meta.app_label, model.__name__, model, {} if composite else keys, str(meta.pk_fields[0].column), taken)
