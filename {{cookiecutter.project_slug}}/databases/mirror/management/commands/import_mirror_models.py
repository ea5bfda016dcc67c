"""`manage.py import_mirror_models`: copies the other application's tables as models, and updates the copies."""

import difflib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from databases.mirror.drift import copied_models
from databases.mirror.importer.files import ImportRefusedError, relative_path, write
from databases.mirror.importer.naming import app_and_model, read_names
from databases.mirror.importer.plan import Import
from databases.mirror.importer.source import SourceError
from databases.mirror.introspection import UpstreamError, table_kinds
from databases.mirror.router import MIRROR

#: Django's record of migrations, which is not data of the other application.
IGNORED_TABLE = "django_migrations"


class Command(BaseCommand):
    help = (
        "Copy tables of the mirror as models, and update fields whose columns have changed. The rest of each file "
        "stays as it is."
    )
    # The command must run when the copies fail checks, because it updates them.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("labels", nargs="*", metavar="app_label", help="Apps of the other application.")
        parser.add_argument("--all", action="store_true", help="All apps of the other application.")
        parser.add_argument("--tables", nargs="+", metavar="TABLE", help="Tables, or patterns such as 'blog_*'.")
        parser.add_argument("--into", metavar="APP_LABEL", help="The app for the models of these tables.")
        parser.add_argument("--dry-run", action="store_true", help="Print the changes as a diff, and write nothing.")

    def handle(self, **options: Any) -> None:
        if sum(map(bool, (options["labels"], options["all"], options["tables"]))) != 1:
            raise CommandError("Name apps, or use --all, or --tables with --into: one of the three.")
        if bool(options["tables"]) != bool(options["into"]):
            raise CommandError("--tables and --into need each other.")
        run = Import(report=self.stdout.write)
        try:
            run.plan(self.choose_tables(options))
            files = run.files()
        except UpstreamError as error:
            raise CommandError(str(error), returncode=2) from None
        except (ImportRefusedError, SourceError) as error:
            raise CommandError(f"{error} Nothing was written.") from None
        for line in (*run.notes, *run.changes):
            self.stdout.write(line)
        if options["dry_run"]:
            for path, content in files.items():
                self.stdout.write(diff(path, content), ending="")
        else:
            write(files)
        self.report(run, list(files), options["dry_run"])

    def choose_tables(self, options: dict[str, Any]) -> dict[str, tuple[str, str]]:
        """Return the selected tables, each with the label of its app and the name of its model."""
        connection = connections[MIRROR]
        kinds = table_kinds(connection)
        for model in copied_models():
            if model._meta.db_table not in kinds:
                # Its class may have hand-written code, and the table may only have been renamed.
                self.stdout.write(
                    f"{model._meta.label}: the table {model._meta.db_table!r} is gone. "
                    "Change the db_table of the class, or delete the class."
                )
        names = read_names(connection, kinds)
        found = {
            name: app_and_model(name, names) for name in sorted(kinds) if kinds[name] == "t" and name != IGNORED_TABLE
        }
        if options["tables"]:
            match_all(options["tables"], list(found), "table")
            chosen = [name for name in found if any(fnmatchcase(name, each) for each in options["tables"])]
            return {name: (options["into"], found[name][1]) for name in chosen}
        if options["all"]:
            return found
        match_all(options["labels"], sorted({label for label, _ in found.values()}), "app")
        return {name: (label, cls) for name, (label, cls) in found.items() if label in options["labels"]}

    def report(self, run: Import, files: list[Path], dry_run: bool) -> None:
        """Print the number of files and the next steps."""
        if not files:
            self.stdout.write("Nothing to change.")
            return
        self.stdout.write(f"Files {'to write' if dry_run else 'written'}: {len(files)}.")
        if new := run.new_apps():
            self.stdout.write("Add to INSTALLED_APPS in config/settings.py:")
            for app in new:
                self.stdout.write(f'    "{app}",')
            self.stdout.write("Add to APP_DATABASES in config/databases.py:")
            for app in new:
                self.stdout.write(f'    "{app}": "{MIRROR}",')
        self.stdout.write(f"Then run: python manage.py makemigrations {' '.join(sorted(run.apps))}")


def match_all(patterns: list[str], names: list[str], what: str) -> None:
    """Raise `CommandError` for a pattern that matches no name."""
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            some = ", ".join(names[:10]) + (" …" if len(names) > 10 else "")
            raise CommandError(f"The mirror has no {what} {pattern!r}. There are: {some or 'none'}.")


def diff(path: Path, content: bytes) -> str:
    """Return the change of a file as a diff."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True),
        content.decode().splitlines(keepends=True),
        relative_path(path),
        relative_path(path),
    )
    return "".join(lines)
