"""Plans an import: models for new tables, and changes in place for drifted copies.

This module writes nothing: its result is the new contents of files.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import getfile
from pathlib import Path

from django.apps import apps
from django.db import connections
from django.db.models import Model

from databases.mirror.drift import compare, copied_models
from databases.mirror.importer.copies import Copies
from databases.mirror.importer.files import app_for, files_of_app, is_project_file, models_file, relative_path
from databases.mirror.importer.source import HEAD, SourceError, SourceFile
from databases.mirror.introspection import Column, Table, read_table
from databases.mirror.router import MIRROR

#: The kinds of findings that a change of the copy repairs.
REPAIRED = {"missing column", "type", "arguments", "null", "extra column"}


class Import:
    """One import. `apps` have new or changed models; `changes` and `notes` are lines about done and remaining work."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.apps: set[str] = set()
        self.changes: list[str] = []
        self.notes: list[str] = []
        self._report = report
        self._connection = connections[MIRROR]
        self._copies = Copies(copied_models())
        self._apps: dict[str, str] = {}
        self._sources: dict[Path, SourceFile] = {}

    def plan(self, chosen: dict[str, tuple[str, str]]) -> None:
        """Plan the copies of tables, given the upstream label and the model name of each.

        Raises `UpstreamError`, and `ImportRefusedError` if an app cannot be created.
        """
        tables: dict[str, Table] = {}
        for number, (name, (label, cls)) in enumerate(chosen.items(), start=1):
            table = read_table(self._connection, name)
            line = f"[{number:>{len(str(len(chosen)))}}/{len(chosen)}] {name}"
            copy = self._copies.by_table.get(name)
            if not copy:
                if not table.primary_key or not all(table.columns[key].field_type for key in table.primary_key):
                    self._report(f"{line} is skipped: it has no primary key that Django can use")
                    continue
                app = self._app(label)
                copy = self._copies.new(table, app, cls, apps.all_models.get(app, ()))
            tables[name] = table
            fields = sum(bool(column.field_type) for column in table.columns.values())
            self._report(f"{line} -> {copy.app}.{copy.name}, {fields} fields")
        # All names of fields first: relations need the field names of their targets.
        names = {name: self._copies.name_fields(table) for name, table in tables.items()}
        for name, table in tables.items():
            copy = self._copies.by_table[name]
            if copy.model:
                self._update(copy.model, table, names[name])
            else:
                self.apps.add(copy.app)
                self._source(models_file(copy.app)).append(self._copies.class_text(table, names[name]))

    def files(self) -> dict[Path, bytes]:
        """Return the files that change. Raises `SourceError` with the path of a file that cannot be changed."""
        found = {path: content for app in self.new_apps() for path, content in files_of_app(app).items()}
        for path, source in self._sources.items():
            try:
                result = source.result()
            except SourceError as error:
                raise SourceError(f"{relative_path(path)} {error}.") from None
            if not path.exists() or result != path.read_bytes():
                found[path] = result
        return found

    def new_apps(self) -> list[str]:
        """Return the apps that the import creates."""
        return sorted(app for app in self._apps.values() if files_of_app(app))

    def _app(self, label: str) -> str:
        if label not in self._apps:
            self._apps[label] = app = app_for(label)
            if app != label:
                self.notes.append(f"The app {label!r} becomes {app!r}: another package here is called {label!r}.")
        return self._apps[label]

    def _source(self, path: Path) -> SourceFile:
        if path not in self._sources:
            if not is_project_file(path):
                raise SourceError("is not a file of this project")
            self._sources[path] = SourceFile(path.read_bytes() if path.exists() else HEAD.encode())
        return self._sources[path]

    def _update(self, model: type[Model], table: Table, names: dict[str, str]) -> None:
        kinds: dict[str, set[str]] = {}
        for finding in compare(model, table, self._connection.vendor):
            if finding.kind in REPAIRED and (finding.kind != "extra column" or finding.column in names):
                kinds.setdefault(finding.column, set()).add(finding.kind)
        path = Path(getfile(model))
        for column, found in kinds.items():
            try:
                change = self._change(self._source(path), model, table, column, found, names.get(column, ""))
            except SourceError as error:
                self.notes.append(
                    f"{model._meta.label}, {column!r}: change it manually, {relative_path(path)} {error}."
                )
            else:
                if change:
                    self.apps.add(model._meta.app_label)
                    self.changes.append(f"{model._meta.label}: {change}")

    def _change(
        self, source: SourceFile, model: type[Model], table: Table, name: str, kinds: set[str], new: str
    ) -> str:
        """Change one field in its file. Return what was done, or an empty text."""
        column = table.columns.get(name) or Column(name)
        if "extra column" in kinds:
            present = {field.name for field in model._meta.get_fields()}
            source.add(model.__name__, present, self._copies.field_text(table, column, new))
            return f"{new} is new"
        field = next(field for field in model._meta.local_concrete_fields if field.column == name)
        statement = source.fields(model.__name__).get(field.name)
        if not statement:
            raise SourceError(f"has no {field.name} in the class {model.__name__}")
        if "missing column" in kinds:
            source.remove(statement)
            return f"{field.name} is gone"
        if field.remote_field and name in table.relations:
            # The type is the target field's, which is changed in its own model.
            kinds = kinds - {"type"}
        limits: dict[str, object] = {**column.arguments} if "arguments" in kinds else {}
        if "type" in kinds or "arguments" in kinds and not limits:
            source.replace(statement, self._copies.field_text(table, column, field.name))
        elif kinds:
            source.set_arguments(statement, limits | ({"null": True} if "null" in kinds else {}))
        return f"{field.name} is changed" if kinds else ""
