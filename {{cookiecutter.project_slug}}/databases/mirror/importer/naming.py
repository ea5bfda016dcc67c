"""Finds the app label and the model name that the other application has for a table.

The tables of a Django application contain them: content types, permissions and migrations. Content types have names in
lower case; the words of a permission, such as "Can add page log entry", show where the capitals are. For other tables
the name of the table is split: `blog_post_tags` becomes `PostTags` of `blog`.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from django.db.backends.base.base import BaseDatabaseWrapper

from databases.mirror.introspection import UpstreamError, reading

#: Tables of Django's own apps that do not begin with the app's label.
DJANGO_TABLES = {
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
class UpstreamNames:
    """Names from the other application's tables: app labels, and class names by label and lower-case name."""

    labels: set[str] = field(default_factory=set)
    models: dict[tuple[str, str], str] = field(default_factory=dict)


def read_names(connection: BaseDatabaseWrapper, tables: Iterable[str]) -> UpstreamNames:
    """Return the names that the existing tables contain. They are empty if the application does not use Django."""
    existing = set(tables)
    models = {(label, model): model.title() for label, model in _rows(connection, CONTENT_TYPES, existing)}
    for label, model, permission in _rows(connection, PERMISSIONS, existing):
        words = str(permission).removeprefix("Can add ").split()
        if "".join(words).lower() == model:
            models[label, model] = "".join(word[0].upper() + word[1:] for word in words)
    labels = {label for label, _ in models} | {label for (label,) in _rows(connection, MIGRATIONS, existing)}
    return UpstreamNames(labels, models)


def app_and_model(table: str, names: UpstreamNames) -> tuple[str, str]:
    """Return the app label and the model name of a table."""
    if table in DJANGO_TABLES:
        return DJANGO_TABLES[table]
    # The longest label: `blog_images_image` belongs to `blog_images`, not to `blog`.
    label = _longest(table, names.labels) or table.partition("_")[0]
    rest = table[len(label) :].strip("_") or table
    known = _longest(rest, [model for app, model in names.models if app == label])
    name = names.models.get((label, known), "") + _camel_case(rest[len(known) :])
    # The rest of a table's name may begin with a digit, or be "none".
    is_valid = name.isidentifier() and not keyword.iskeyword(name)
    return re.sub(r"\W", "_", label.lower()), name if is_valid else f"Table{name}"


def _longest(name: str, beginnings: Iterable[str]) -> str:
    return max((each for each in beginnings if f"{name}_".startswith(f"{each}_")), key=len, default="")


def _camel_case(name: str) -> str:
    return "".join(part[0].upper() + part[1:] for part in re.split(r"[\W_]+", name) if part)


def _rows(connection: BaseDatabaseWrapper, sql: str, existing: set[str]) -> list[tuple[str, ...]]:
    if not set(re.findall(r"(?:FROM|JOIN) (\w+)", sql)) <= existing:
        return []
    # If the database user may not read them, names come from the names of tables.
    with suppress(UpstreamError), reading("A table of Django's"), connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())
    return []
