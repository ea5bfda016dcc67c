"""`manage.py import_mirror_models`: copies the other application's tables as models, and brings copies up to date."""

import difflib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from databases.mirror.drift import copied_models
from databases.mirror.importer.files import ImportRefusedError, shortened, write
from databases.mirror.importer.naming import place, read_directory
from databases.mirror.importer.plan import Import
from databases.mirror.importer.source import SourceError
from databases.mirror.router import MIRROR
from databases.mirror.upstream import UpstreamError, table_kinds

#: Django's own record, which is no data of the other application.
NO_MODEL = "django_migrations"


class Command(BaseCommand):
    help = (
        "Copy tables of the mirror as models, and change the fields of copies whose columns have changed. "
        "Everything else in their files stays as it is."
    )
    # Copies that have drifted far may not pass all checks; this is what mends them.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("labels", nargs="*", metavar="app_label", help="Apps of the other application.")
        parser.add_argument("--all", action="store_true", help="All of its apps.")
        parser.add_argument("--tables", nargs="+", metavar="TABLE", help="Tables, also as patterns such as 'blog_*'.")
        parser.add_argument("--into", metavar="APP_LABEL", help="The app that these tables become models of.")
        parser.add_argument("--dry-run", action="store_true", help="Print what would change, and write nothing.")

    def handle(self, **options: Any) -> None:
        if sum(map(bool, (options["labels"], options["all"], options["tables"]))) != 1:
            raise CommandError("Name apps, or give --all, or --tables with --into: one of the three.")
        if bool(options["tables"]) != bool(options["into"]):
            raise CommandError("--tables and --into belong together.")
        work = Import(report=self.stdout.write)
        try:
            work.run(self.places(options))
            files = work.files()
        except UpstreamError as error:
            raise CommandError(str(error), returncode=2) from None
        except (ImportRefusedError, SourceError) as error:
            raise CommandError(f"{error} Nothing has been written.") from None
        for line in (*work.notes, *work.changes):
            self.stdout.write(line)
        if options["dry_run"]:
            for path, content in files.items():
                self.stdout.write(diff(path, content), ending="")
        else:
            write(files)
        self.tell(work, list(files), options["dry_run"])

    def places(self, options: dict[str, Any]) -> dict[str, tuple[str, str]]:
        """Return the tables that were asked for, each with its label and the name of its model."""
        connection = connections[MIRROR]
        kinds = table_kinds(connection)
        for model in copied_models():
            if model._meta.db_table not in kinds:
                # Its class holds what people have written; a table under another name may be the same one.
                self.stdout.write(
                    f"{model._meta.label}: the table {model._meta.db_table!r} is gone. "
                    "Give the class another db_table, or delete it."
                )
        directory = read_directory(connection, kinds)
        found = {name: place(name, directory) for name in sorted(kinds) if kinds[name] == "t" and name != NO_MODEL}
        if options["tables"]:
            match_all(options["tables"], list(found), "table")
            chosen = [name for name in found if any(fnmatchcase(name, each) for each in options["tables"])]
            return {name: (options["into"], found[name][1]) for name in chosen}
        if options["all"]:
            return found
        match_all(options["labels"], sorted({label for label, _ in found.values()}), "app")
        return {name: (label, cls) for name, (label, cls) in found.items() if label in options["labels"]}

    def tell(self, work: Import, files: list[Path], dry_run: bool) -> None:
        """Write what has been done, and what is to be done next."""
        if not files:
            self.stdout.write("Nothing to change.")
            return
        self.stdout.write(f"Files {'to write' if dry_run else 'written'}: {len(files)}.")
        if new := work.new_apps():
            self.stdout.write("Add to INSTALLED_APPS in config/settings.py:")
            for app in new:
                self.stdout.write(f'    "{app}",')
        self.stdout.write(f"Then run: python manage.py makemigrations {' '.join(sorted(work.apps))}")


def match_all(wanted: list[str], there: list[str], what: str) -> None:
    """Raise `CommandError` for a pattern that nothing matches."""
    for pattern in wanted:
        if not any(fnmatchcase(name, pattern) for name in there):
            some = ", ".join(there[:10]) + (" …" if len(there) > 10 else "")
            raise CommandError(f"The mirror has no {what} {pattern!r}. There are: {some or 'none'}.")


def diff(path: Path, content: bytes) -> str:
    """Return how a file would change."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), content.decode().splitlines(keepends=True), shortened(path), shortened(path)
    )
    return "".join(lines)
