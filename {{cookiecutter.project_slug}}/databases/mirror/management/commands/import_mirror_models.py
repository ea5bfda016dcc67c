"""`manage.py import_mirror_models`: writes the other application's tables as abstract models, and classes for you.

`<app>/models/upstream.py` is written anew by each run. `<app>/models/__init__.py` is yours: a run adds the classes that
it does not have, and changes nothing else. To be rid of a table, delete your class of it, and run the command again.
"""

import difflib
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connections

from databases.mirror.drift import copied_models
from databases.mirror.generate import CLASS, HEAD, LEFT_OUT, Copy, Generator, bare, camel, why_no_class, why_no_field
from databases.mirror.router import MIRROR
from databases.mirror.upstream import hidden_rows, read_tables, table_kinds
from databases.registry import roles_of

YOURS = '"""Yours: `import_mirror_models` only adds classes."""\n\nfrom . import upstream\n'
APPS = """from django.apps import AppConfig


class {name}Config(AppConfig):
    name = "{app}"
    default_auto_field = "django.db.models.BigAutoField"
"""
#: Tables of Django's own apps that do not begin with the app's label.
OF_DJANGO = {
    **{f"django_{name}": (f"{name}s", name.title()) for name in ("session", "site", "redirect")},
    **{"django_admin_log": ("admin", "LogEntry"), "django_content_type": ("contenttypes", "ContentType")},
    **{"django_flatpage": ("flatpages", "FlatPage"), "django_flatpage_sites": ("flatpages", "FlatPageSites")},
}
LABELS = "SELECT DISTINCT app, '', '' FROM django_migrations"
NAMES = (
    "SELECT t.app_label, t.model, p.name FROM django_content_type t "
    "JOIN auth_permission p ON p.content_type_id = t.id WHERE p.name LIKE 'Can add %'"
)
LINE_LENGTH = 120
USED = re.compile(r"\bupstream\.(\w+)|\bupstream import (?:\(([^)]*)\)|([^\n]*))")


class Command(BaseCommand):
    help = "Copy tables of the mirror as models, or bring all copies up to date."
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

    def handle(self, **options: Any) -> None:
        if bool(options["tables"] or options["view"] or options["schema"]) != bool(options["into"]):
            raise CommandError("--tables, --view and --schema need --into, and --into needs one of them.")
        if options["into"] and (options["labels"] or options["all"]):
            raise CommandError("Name apps or --all in one run, and --into in another.")
        connection = connections[MIRROR]
        try:
            copies = self.find(options)
            tables, failed = read_tables(connection, {name: copy.key for name, copy in copies.items()})
            for name in hidden_rows(connection):
                if name in tables:
                    self.stdout.write(f"{name}: row-level security may hide rows from this project's database user.")
        except DatabaseError as error:
            # The class only: a message of the driver may contain addresses and users.
            raise CommandError(f"The mirror cannot be read ({type(error).__name__}).", returncode=2) from None
        failed |= {name: why for name, table in tables.items() if (why := why_no_class(table))}
        tables = {name: table for name, table in tables.items() if name not in failed}
        generator = Generator(copies, tables, {each._meta.db_table: each._meta.label for each in copied_models()})
        self.report(generator, failed)
        self.save(self.files(generator, failed), options["dry_run"])

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

    def find(self, options: dict[str, Any]) -> dict[str, Copy]:
        """Return the place of each table: of what was copied before, and of what is asked for now."""
        found: dict[str, Copy] = {}
        for path in sorted(settings.BASE_DIR.glob("*/models/upstream.py")):
            app, text = path.parts[-3], path.read_text(encoding="utf-8")
            for block in CLASS.finditer(text):
                name, key, table = block.groups()
                if name in used_names(app):
                    found[json.loads(table)] = Copy(app, name, json.loads(key or '""'), block[0])
            for name, table in LEFT_OUT.findall(text):
                found.setdefault(json.loads(table), Copy(app, name))
        for model in copied_models():
            if model._meta.db_table not in found:
                found[model._meta.db_table] = Copy(model._meta.app_label, model.__name__, yours=model)
        for table, label, cls, key in self.wanted(options):
            if table not in found:
                app = app_for(re.sub(r"\W", "_", label.lower()), {copy.app for copy in found.values()})
                taken = {copy.name.lower() for copy in found.values() if copy.app == app}
                names = (f"{cls}{number}" for number in ["", *range(2, 10_000)])
                found[table] = Copy(app, next(name for name in names if name.lower() not in taken), key)
        return found

    def wanted(self, options: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
        """Yield table, app, class and chosen key of what is asked for. Raises `CommandError` for what is not there."""
        schema, connection = options["schema"], connections[MIRROR]
        has_schemas = connection.vendor == "postgresql"
        kinds = table_kinds(connection, schema) if has_schemas or not schema else {}
        if schema and not kinds:
            raise CommandError(f"The mirror has no schema {schema!r}, or it is empty.")
        names = {bare(name): name for name in sorted(kinds) if kinds[name] == "t" and name != "django_migrations"}
        if options["labels"] or options["all"]:
            known = directory(kinds)
            placed = [(name, *place(name, known), "") for name in names]
            there = {label for _, label, *_ in placed}
            if unknown := {*options["labels"]} - there:
                raise CommandError(
                    f"The mirror has no app {', '.join(unknown)}. There are: {', '.join(sorted(there))}."
                )
            yield from (each for each in placed if options["all"] or each[1] in options["labels"])
        everything = ["*"] if options["schema"] and not options["view"] else []
        for pattern in options["tables"] or everything:
            matching = [name for name in names if fnmatchcase(name, pattern)]
            if not matching:
                raise CommandError(f"The mirror has no table {pattern!r}. There are: {', '.join([*names][:10])} …")
            yield from ((names[name], options["into"], camel(name), "") for name in matching)
        views = {bare(name): name for name in kinds}
        for name, _, key in (view.rpartition(":") for view in options["view"]):
            if name not in views:
                raise CommandError(f"The mirror has no view {name or key!r}: write --view NAME:KEY.")
            yield views[name], options["into"], camel(name), key

    def files(self, generator: Generator, failed: dict[str, str]) -> dict[Path, str]:
        """Return the new contents of files."""
        # Also of apps whose last class you have deleted.
        paths = settings.BASE_DIR.glob("*/models/upstream.py")
        classes: defaultdict[str, dict[str, str]] = defaultdict(dict, {path.parts[-3]: {} for path in sorted(paths)})
        for name, copy in generator.copies.items():
            if copy.yours:
                continue
            text = generator.text(generator.tables[name]) if name in generator.tables else copy.text
            if text or failed[name] != "is missing":
                classes[copy.app][copy.name] = text or f"# {copy.name} is left out, {json.dumps(name)}: {failed[name]}"
        result: dict[Path, str] = {}
        for app, texts in classes.items():
            folder = settings.BASE_DIR / app
            if all(text.startswith("#") for text in texts.values()) and not folder.exists():
                # An app without a model would be one more to install, for nothing.
                continue
            if (folder / "models.py").exists():
                raise CommandError(f"{app}/models.py is in the way: make it {app}/models/__init__.py first.")
            if not folder.exists():
                result |= {folder / "__init__.py": "", folder / "migrations/__init__.py": ""}
                result[folder / "apps.py"] = APPS.format(name=camel(app), app=app)
            result[folder / "models/upstream.py"] = HEAD + "".join(f"\n\n{texts[name]}\n" for name in sorted(texts))
            yours = folder / "models/__init__.py"
            text, used = read(yours) if yours.exists() else YOURS, used_names(app)
            new = [name for name in sorted(texts) if name not in used and not texts[name].startswith("#")]
            added = "".join(f"\n\n{concrete_class(name)}\n" for name in new)
            if new and not re.search(r"^from \. import (?:.*, *)?upstream\b(?! as)", text, re.M):
                added = f"\nfrom . import upstream  # noqa: E402\n{added}"
            # The rest of the file stays as it is, to the byte.
            result[yours] = text + (added.replace("\n", "\r\n") if "\r\n" in text else added)
        return result

    def save(self, files: dict[Path, str], dry_run: bool) -> None:
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
        for setting, there in (("INSTALLED_APPS", apps.app_configs), ("APP_DATABASES", settings.APP_DATABASES)):
            if absent := [app for app in touched if app not in there]:
                entry = '    "{}",' if setting == "INSTALLED_APPS" else '    "{}": "mirror",'
                place = "settings" if setting == "INSTALLED_APPS" else "databases"
                self.stdout.write("\n".join([f"Add to {setting} in config/{place}.py:", *map(entry.format, absent)]))
        then = f"Then run: python manage.py makemigrations {' '.join(touched)}"
        self.stdout.write(then if touched else "Nothing to change.")


def read(path: Path) -> str:
    """Return the text of a file with its line endings. Raises `CommandError` for one that is not UTF-8."""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        raise CommandError(f"{path} is not UTF-8: convert it first. Nothing was written.") from None


def concrete_class(name: str) -> str:
    """Return the class that is yours, on lines that are short enough for this project's ruff."""
    line = f"class {name}(upstream.{name}): ..."
    return line if len(line) <= LINE_LENGTH else f"class {name}(\n    upstream.{name}\n): ..."


def used_names(app: str) -> set[str]:
    """Return the names of abstract classes that what people have written in an app uses, by any name.

    Models tell it of an installed app, the text of its files of another.
    """
    bases = {base for model in copied_models() for base in model.__mro__}
    names = {base.__name__ for base in bases if base.__module__ == f"{app}.models.upstream"}
    paths = [path for path in (settings.BASE_DIR / app).rglob("*.py") if path.name != "upstream.py"]
    found = [match for path in paths for match in USED.findall(path.read_text(encoding="utf-8", errors="replace"))]
    return names | {name for match in found for part in match for name in re.findall(r"\w+", part)}


def directory(kinds: dict[str, str]) -> dict[tuple[str, str], str]:
    """Return the class names of a Django project by label and lower-case name; for `""` as name, its labels."""
    found: dict[tuple[str, str], str] = {}
    for sql in (LABELS, NAMES):
        if {*re.findall(r"(?:FROM|JOIN) (\w+)", sql)} <= {*kinds}:
            # Our user may not be allowed to read them: then names are told from those of the tables.
            with suppress(DatabaseError), connections[MIRROR].cursor() as cursor:
                cursor.execute(sql)
                for label, model, permission in cursor.fetchall():
                    # The words of a permission, "Can add log entry", tell where the capitals are.
                    words = camel(permission.removeprefix("Can add "))
                    found[label, model] = words if words.lower() == model else model.title()
                    found[label, ""] = ""
    return found


def place(table: str, known: dict[tuple[str, str], str]) -> tuple[str, str]:
    """Return the app that a table belongs to, and the name of its model: `blog_post_tags` is `PostTags` of `blog`."""
    if table in OF_DJANGO:
        return OF_DJANGO[table]
    # The longest label: `blog_images_image` belongs to `blog_images`, not to `blog`.
    label = longest(table, {label for label, _ in known}) or table.partition("_")[0] or "tables"
    rest = table[len(label) :].strip("_") or table
    model = longest(rest, {name for app, name in known if app == label and name})
    return label, camel(known.get((label, model), "") + "_" + rest[len(model) :])


def longest(name: str, beginnings: set[str]) -> str:
    """Return the longest of the beginnings that a name has, as whole words."""
    return max((each for each in beginnings if f"{name}_".startswith(f"{each}_")), key=len, default="")


def app_for(label: str, copied: set[str]) -> str:
    """Return the app for a label: that one, or `upstream_<label>` if another package here has its name.

    Argument: the apps that have copies already. Raises `CommandError` if both names are taken.
    """
    for app in (label, f"upstream_{label}"):
        free = app.isidentifier() and not iskeyword(app) and app not in apps.app_configs and find_spec(app) is None
        if app in copied or free or roles_of(app) == {MIRROR}:
            return app
    raise CommandError(f"There is no name for the app {label!r}: it and 'upstream_{label}' are taken.")
