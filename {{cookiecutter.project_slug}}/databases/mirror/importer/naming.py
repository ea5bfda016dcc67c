"""Which app of the other application a table belongs to, and how its model is called there.

A Django application says so itself, in the tables of its content types, permissions and migrations. Content types hold
names in lower case; the words of a permission, "Can add page log entry", give back where the capitals were. What none
of them knows is told from the name of the table: `blog_post_tags` is `PostTags` of `blog`.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from django.db.backends.base.base import BaseDatabaseWrapper

from ..upstream import UpstreamError, reading

#: Tables of Django's own apps that do not begin with the app's label.
OF_DJANGO = {
    "django_admin_log": ("admin", "LogEntry"),
    "django_content_type": ("contenttypes", "ContentType"),
    "django_flatpage": ("flatpages", "FlatPage"),
    "django_flatpage_sites": ("flatpages", "FlatPageSites"),
    "django_redirect": ("redirects", "Redirect"),
    "django_session": ("sessions", "Session"),
    "django_site": ("sites", "Site"),
}
CONTENT_TYPES = "SELECT app_label, model FROM django_content_type"
MIGRATIONS = "SELECT DISTINCT app FROM django_migrations"
PERMISSIONS = (
    "SELECT t.app_label, t.model, p.name FROM auth_permission p JOIN django_content_type t ON p.content_type_id = t.id "
    "WHERE p.name LIKE 'Can add %'"
)


@dataclass(frozen=True)
class Directory:
    """What the other application's own tables tell: labels of apps, and class names by label and lower-case name."""

    labels: set[str] = field(default_factory=set)
    models: dict[tuple[str, str], str] = field(default_factory=dict)


def read_directory(connection: BaseDatabaseWrapper, tables: Iterable[str]) -> Directory:
    """Return what can be read of it, given the tables that there are; nothing of what is no Django project."""
    there = set(tables)
    models = {(label, model): model.title() for label, model in _rows(connection, CONTENT_TYPES, there)}
    for label, model, permission in _rows(connection, PERMISSIONS, there):
        words = str(permission).removeprefix("Can add ").split()
        if "".join(words).lower() == model:
            models[label, model] = "".join(word[0].upper() + word[1:] for word in words)
    labels = {label for label, _ in models} | {label for (label,) in _rows(connection, MIGRATIONS, there)}
    return Directory(labels, models)


def place(table: str, directory: Directory) -> tuple[str, str]:
    """Return the label of the app that a table belongs to, and the name of its model."""
    if table in OF_DJANGO:
        return OF_DJANGO[table]
    # The longest: of `blog` and `blog_images` the second one has `blog_images_image`.
    label = _longest(table, directory.labels) or table.partition("_")[0]
    rest = table[len(label) :].strip("_") or table
    known = _longest(rest, [model for app, model in directory.models if app == label])
    name = directory.models.get((label, known), "") + _camel_case(rest[len(known) :])
    # The name of a table may begin with a digit, or be "none".
    fits = name.isidentifier() and not keyword.iskeyword(name)
    return re.sub(r"\W", "_", label.lower()), name if fits else f"Table{name}"


def _longest(name: str, beginnings: Iterable[str]) -> str:
    return max((each for each in beginnings if f"{name}_".startswith(f"{each}_")), key=len, default="")


def _camel_case(name: str) -> str:
    return "".join(part[0].upper() + part[1:] for part in re.split(r"[\W_]+", name) if part)


def _rows(connection: BaseDatabaseWrapper, sql: str, there: set[str]) -> list[tuple[str, ...]]:
    if not set(re.findall(r"(?:FROM|JOIN) (\w+)", sql)) <= there:
        return []
    # They may not be for our user to read: names are told from those of the tables then.
    with suppress(UpstreamError), reading("A table of Django's"), connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())
    return []
