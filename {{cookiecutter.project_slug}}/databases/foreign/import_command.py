"""The command that writes the other application's tables as abstract models, and classes for you.

Each run writes `<app>/models/upstream.py` again. `<app>/models/__init__.py` is yours: a run adds the classes that it
does not have, and changes nothing else. To be rid of a table, delete your class of it, and run the command again.
"""

import difflib
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.template.defaultfilters import pluralize

from databases.foreign.files import CLASS, LEFT_OUT, generated, new_contents, read, used_names
from databases.foreign.generate import Copy, Generator, why_no_class, why_no_field
from databases.foreign.naming import app_for, bare, camel, directory, place
from databases.foreign.source import Source
from databases.foreign.upstream import hidden_rows, read_tables, table_kinds


class ImportCommand(BaseCommand):
    """Copies tables as models. A role's command says from where."""

    # The command must run when the copies fail checks, because it updates them.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("labels", nargs="*", metavar="app_label", help="Apps over there; none: what was copied.")
        parser.add_argument("--all", action="store_true", help="All of its apps.")
        parser.add_argument("--tables", nargs="+", default=[], metavar="TABLE", help="Tables, also as 'blog_*'.")
        key = "A view, or a table without a key, and the column that serves as one."
        parser.add_argument("--view", action="append", default=[], metavar="NAME:KEY", help=key)
        parser.add_argument(
            "--schema", default="", help="Tables and views of this schema of PostgreSQL, or all of them."
        )
        parser.add_argument("--into", metavar="APP_LABEL", help="The app of these tables and views.")
        parser.add_argument("--dry-run", action="store_true", help="Print what would change, and write nothing.")

    def source(self, options: dict[str, Any]) -> Source:
        """Return the database to copy from."""
        raise NotImplementedError

    def handle(self, **options: Any) -> None:
        if bool(options["tables"] or options["view"] or options["schema"]) != bool(options["into"]):
            raise CommandError("Write --into with --tables, --view or --schema: each needs the other.")
        if options["into"] and (options["labels"] or options["all"]):
            raise CommandError("Name apps or --all in one run, and --into in another.")
        source = self.source(options)
        try:
            copies = self.find(source, options)
            self.stdout.write(f"{source.name}: reading {len(copies)} table{pluralize(len(copies))} …")
            tables, failed = read_tables(source, {name: copy.key for name, copy in copies.items()})
            for name in hidden_rows(source.connection):
                if name in tables:
                    self.stdout.write(f"{name}: row-level security may hide rows from this project's database user.")
        except DatabaseError as error:
            # The class only: a message of the driver may contain addresses and users.
            why = f"{source.name} cannot be read ({type(error).__name__}): check its address and its server."
            raise CommandError(why, returncode=2) from None
        failed |= {name: why for name, table in tables.items() if (why := why_no_class(table))}
        tables = {name: table for name, table in tables.items() if name not in failed}
        labels = {each._meta.db_table: each._meta.label for each in source.copied_models()}
        generator = Generator(source.base, copies, tables, labels)
        self.report(generator, failed)
        self.save(new_contents(source, generator, failed), source.role, options["dry_run"])

    def report(self, generator: Generator, failed: dict[str, str]) -> None:
        """Say what is left out, and why."""
        for name, copy in generator.copies.items():
            if copy.yours:
                continue
            if name in failed:
                # Without its base, a class of yours would keep the project from starting.
                kept = ". Its class stays as it was" if copy.text else ""
                self.stdout.write(f"{name} is left out: {failed[name]}{kept}")
            else:
                for column in generator.tables[name].columns.values():
                    if column.name not in generator.fields[name]:
                        self.stdout.write(f"{name}.{column.name} is left out: {why_no_field(column)}")
        names = [name for name, copy in generator.copies.items() if not copy.yours]
        left_out = sum(name in failed for name in names)
        self.stdout.write(f"Tables copied: {len(names) - left_out}. Left out: {left_out}.")

    def find(self, source: Source, options: dict[str, Any]) -> dict[str, Copy]:
        """Return the place of each table: of what was copied before, and of what is asked for now."""
        found: dict[str, Copy] = {}
        for app, text in generated(source).items():
            for block in CLASS.finditer(text):
                name, key, table = block.groups()
                if name in used_names(app):
                    found[json.loads(table)] = Copy(app, name, json.loads(key or '""'), block[0])
            for name, table in LEFT_OUT.findall(text):
                found.setdefault(json.loads(table), Copy(app, name))
        for model in source.copied_models():
            if model._meta.db_table not in found:
                found[model._meta.db_table] = Copy(model._meta.app_label, model.__name__, yours=model)
        for table, label, cls, key in self.wanted(source, options):
            if table not in found:
                copied = {copy.app for copy in found.values()}
                app = app_for(re.sub(r"\W", "_", label.lower()), copied, source.role)
                # The class of its base would hide what the generated file imports.
                taken = {source.base.__name__.lower()}
                taken |= {copy.name.lower() for copy in found.values() if copy.app == app}
                names = (f"{cls}{number}" for number in ["", *range(2, 10_000)])
                found[table] = Copy(app, next(name for name in names if name.lower() not in taken), key)
        return found

    def wanted(self, source: Source, options: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
        """Yield table, app, class and chosen key of what is asked for. Raises `CommandError` for what is not there."""
        schema, connection = options["schema"], source.connection
        has_schemas = connection.vendor == "postgresql"
        kinds = table_kinds(connection, schema) if has_schemas or not schema else {}
        if schema and not kinds:
            raise CommandError(f"{source.name} has no schema {schema!r}, or it is empty: correct --schema.")
        names = {bare(name): name for name in sorted(kinds) if kinds[name] == "t" and name != "django_migrations"}
        if options["labels"] or options["all"]:
            known = directory(connection, kinds)
            placed = [(name, *place(name, known), "") for name in names]
            there = {label for _, label, *_ in placed}
            if unknown := {*options["labels"]} - there:
                raise CommandError(
                    f"{source.name} has no app {', '.join(unknown)}. Name one of: {', '.join(sorted(there))}."
                )
            yield from (each for each in placed if options["all"] or each[1] in options["labels"])
        everything = ["*"] if options["schema"] and not options["view"] else []
        for pattern in options["tables"] or everything:
            matching = [name for name in names if fnmatchcase(name, pattern)]
            if not matching:
                raise CommandError(f"{source.name} has no table {pattern!r}. Name one: {', '.join([*names][:10])} …")
            yield from ((names[name], options["into"], camel(name), "") for name in matching)
        views = {bare(name): name for name in kinds}
        for name, _, key in (view.rpartition(":") for view in options["view"]):
            if name not in views:
                raise CommandError(f"{source.name} has no view {name or key!r}: write --view NAME:KEY.")
            yield views[name], options["into"], camel(name), key

    def save(self, files: dict[Path, str], role: str, dry_run: bool) -> None:
        """Write what differs, each file whole, or print how it does; and say what is to be done next."""
        old = {path: read(path) if path.exists() else None for path in files}
        changed = {path: text for path, text in files.items() if text != old[path]}
        for path, text in changed.items():
            if dry_run:
                label = path.relative_to(settings.BASE_DIR).as_posix()
                lines = (old[path] or "").splitlines(keepends=True), text.splitlines(keepends=True)
                self.stdout.write("".join(difflib.unified_diff(*lines, label, label)), ending="")
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.with_name(f"{path.name}.new").write_bytes(text.encode())
        for path in changed if not dry_run else ():
            path.with_name(f"{path.name}.new").replace(path)
        touched = sorted({path.relative_to(settings.BASE_DIR).parts[0] for path in changed})
        for setting, module, there, value in (
            ("INSTALLED_APPS", "settings", apps.app_configs, ""),
            ("APP_DATABASES", "databases", settings.APP_DATABASES, f': "{role}"'),
        ):
            if absent := [app for app in touched if app not in there]:
                entries = [f'    "{app}"{value},' for app in absent]
                self.stdout.write("\n".join([f"Add to {setting} in {module}.py:", *entries]))
        then = f"Then run: python manage.py makemigrations {' '.join(touched)}"
        self.stdout.write(then if touched else "Nothing to change.")
